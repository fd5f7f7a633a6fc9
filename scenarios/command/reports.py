"""The command `ethospike report`, and the page at the end of a run or a sweep."""

from __future__ import annotations

import sys
from pathlib import Path

from ethospike.paths import user_path
from ethospike.scenarios.scenario import Scenario


def report(path: Path, /, *, out: Path | None = None) -> None:
    """Write a page of a run or a sweep: one HTML file, to be looked at without ethospike.

    It holds results, figures, a player of paths and spikes, the configuration and its differences to the
    defaults, and the commands that make it again.

    Parameters
    ----------
    path
        The folder of the run, the sweep or the calibration.
    out
        The file; by default report.html in that folder.
    """
    from ethospike.scenarios.report.writer import write_report

    print(f"report: {write_report(user_path(path), None if out is None else user_path(out))}")


def add_report(path: Path, scenario: Scenario | None = None) -> None:
    """Write the page of a folder whose results are complete; say so if it fails, since they are safe."""
    from ethospike.scenarios.report.writer import write_report

    try:
        print(f"report:    {write_report(path, scenario=scenario)}")
    except Exception as error:  # results are on the disk already: no fault of a page may look like theirs
        print(f"ethospike: no report: {error}; try again with `ethospike report {path}`", file=sys.stderr)


def renew_report(path: Path) -> None:
    """Write the page of a folder again if it has one."""
    from ethospike.scenarios.report.writer import REPORT

    if (path / REPORT).is_file():
        add_report(path)
