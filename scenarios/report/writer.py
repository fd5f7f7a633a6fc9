"""Write the page of a run or a sweep."""

from __future__ import annotations

from pathlib import Path

from ethospike.errors import RunFolderError
from ethospike.scenarios.report.run import run_page
from ethospike.scenarios.run.files import write_whole
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.scenario import Scenario
from ethospike.scenarios.sweeps.folder import Sweep, is_sweep

REPORT = "report.html"
"""The page in the folder of a run or a sweep."""


def write_report(path: Path, out: Path | None = None, scenario: Scenario | None = None) -> Path:
    """Write the page of a run or a sweep as one HTML file; return the file.

    Parameters
    ----------
    path : Path
        The folder of the run, the sweep or the calibration.
    out : Path, optional
        By default report.html in that folder. An existing file is replaced when the page is complete.
    scenario : Scenario, optional
        The scenario of a run, where it is loaded already; by default that of `ethospike list`.

    Raises
    ------
    RunFolderError
        When the folder holds neither, cannot be read, or the file cannot be written.
    """
    if out is not None and not out.parent.is_dir():
        raise RunFolderError(f"{out}: there is no folder {out.parent}; make it, or choose another by --out")
    if out is not None and out.is_dir():
        raise RunFolderError(f"{out} is a folder; expected the name of a file, such as {out / REPORT}")
    page = _sweep_page(path) if is_sweep(path) else run_page(RunFolder.open(path), scenario)
    target = out or path / REPORT
    write_whole(target, page.encode("utf-8", "replace"))
    return target


def _sweep_page(path: Path) -> str:
    """Return the page of a sweep, whose tables need Matplotlib and xarray; those of runs need neither."""
    from ethospike.scenarios.report.sweep import sweep_page

    return sweep_page(Sweep.open(path))
