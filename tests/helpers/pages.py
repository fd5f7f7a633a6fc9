"""Pages as their readers see them, and run folders for them, without simulators."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import tomli_w
import view_runs

from ethospike.scenarios.run.folder import RunFolder

EVIL = (
    """</script></style></title>"'><script>alert(1)</script>"""
    """<img src=x onerror=alert(1)>&<svg/onload=alert(1)>"""
)
TAGS = set(
    """
    a body button canvas circle code details div figcaption figure h1 h2 h3 head html img input line main meta
    noscript output p pre script section span style summary svg table tbody td th thead title tr
    """.split()  # noqa: SIM905
)
"""The elements that a page is made of."""


class Page(HTMLParser):
    """The elements of a page, its words, and its data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes, self.words = text, [], [], []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] += data
        else:
            self.words.append(data)

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])

    @property
    def says(self) -> str:
        return " ".join(" ".join(self.words).split())


def run_folder(
    path: Path, run: Any = None, *, config: Any = None, summary: Any = None, **info: Any
) -> RunFolder:
    """Return the folder of a complete run of an arena, or of another synthetic run."""
    view_runs.write(run or view_runs.ArenaRun(), path)
    content = {
        "scenario": "toy",
        "scenario_file": "toy.py",
        "seed": 7,
        "status": "complete",
        "command": ["ethospike", "run", "toy.py"],
        "versions": {"ethospike": "9.9", "numpy": "2.0", "pygenn": None},
        "git": {"commit": "abc", "clean": False},
        "loop_wall_s": 12.0,
        "real_time_factor": 2.5,
        **info,
    }
    (path / "run.json").write_text(json.dumps(content))
    (path / "config.toml").write_text(tomli_w.dumps(config or {"seed": 7, "body": {"speed_mm_s": 2.0}}))
    (path / "summary.json").write_text(
        json.dumps(summary if summary is not None else {"rate_hz": {"E": 3.25}})
    )
    return RunFolder.open(path)
