"""A recording as a notebook shows it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from ethospike.recorders.recorder import Layout

CELL = "text-align: left; vertical-align: top; padding: 1px 10px"


class Shown(Protocol):
    """The parts of a recording that are shown."""

    path: Path

    @property
    def layout(self) -> Layout:
        """Layout of the run."""

    @property
    def status(self) -> str:
        """End of the run."""

    @property
    def n_steps(self) -> int:
        """Control steps."""

    @property
    def n_spikes(self) -> int:
        """Listed spikes."""

    @property
    def duration_s(self) -> float:
        """Recorded time in seconds."""

    @property
    def run_info(self) -> dict[str, Any]:
        """Content of run.json."""

    @property
    def interval_kinds(self) -> Sequence[str]:
        """Kinds of intervals."""


def as_html(recording: Shown) -> str:
    """Return a table of the content of a recording: the run, its variables, populations and intervals."""
    layout, info = recording.layout, recording.run_info
    behavior = ", ".join(
        f"{name} ({variable.units})" if variable.units != "1" else name
        for name, variable in layout.variables.items()
    )
    populations = ", ".join(f"{p.name} ({p.size:,})" for p in layout.populations)
    rows = {
        "run": f"{info.get('scenario', 'recording')}, {recording.status}",
        "animals": str(layout.animals),
        "recorded": f"{recording.duration_s:g} s, {recording.n_steps:,} control steps of "
        f"{layout.control_interval_ms:g} ms",
        "behavior": behavior,
        "populations": populations,
        "listed spikes": f"{recording.n_spikes:,}" if layout.populations else "",
        "weights": ", ".join(layout.weights),
        "intervals": ", ".join(recording.interval_kinds),
        "folder": str(recording.path),
    }
    cells = "".join(
        f'<tr><th style="{CELL}">{escape(name)}</th><td style="{CELL}">{escape(text)}</td></tr>'
        for name, text in rows.items()
        if text
    )
    return f"<table>{cells}</table>"
