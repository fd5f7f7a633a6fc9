"""A recording as a notebook shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ethospike.shown import html_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from ethospike.recorders.recorder import Layout


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


def shown_content(recording: Shown) -> dict[str, str]:
    """Return the content of a recording in words: the run, its variables, populations and intervals."""
    layout, info = recording.layout, recording.run_info
    behavior = ", ".join(
        f"{name} ({variable.units})" if variable.units != "1" else name
        for name, variable in sorted(layout.variables.items())
    )
    rows = {
        "run": f"{info.get('scenario', 'recording')}, {recording.status}",
        "animals": str(layout.animals),
        "recorded": f"{recording.duration_s:g} s, {recording.n_steps:,} control steps of "
        f"{layout.control_interval_ms:g} ms",
        "behavior": behavior,
        "populations": ", ".join(f"{p.name} ({p.size:,})" for p in layout.populations),
        "listed spikes": f"{recording.n_spikes:,}" if layout.populations else "",
        "weights": ", ".join(f"{name} ({units})" for name, (_, units) in layout.weights.items()),
        "intervals": ", ".join(recording.interval_kinds),
        "folder": str(recording.path),
    }
    return {name: text for name, text in rows.items() if text}


def as_html(recording: Shown) -> str:
    """Return the content of a recording as a table for a notebook."""
    return html_table(shown_content(recording).items())
