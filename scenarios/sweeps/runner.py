"""Runs a sweep from its current state to its end: tasks, table, progress, figures.

Tasks that were killed before are run again. Calibrations are run by `calibration.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ethospike.scenarios.run.progress import TaskProgress
from ethospike.scenarios.sweeps import figures as sweep_figures
from ethospike.scenarios.sweeps.folder import FAILED, Sweep, require
from ethospike.scenarios.sweeps.table import SweepTable


def run_sweep(
    sweep: Sweep,
    *,
    workers: int = 0,
    scheduler: str = "",
    batch: int = 0,
    retry_failed: bool = False,
    quiet: bool = False,
) -> None:
    """Run all unfinished tasks, and draw the figures; see `open_workers` for the parameters.

    Raises
    ------
    RunFolderError
        When another process runs the sweep, or a task of it, or the folder cannot be written to.
    ScenarioError
        When the scheduler is lost.
    """
    require("distributed")
    from ethospike.scenarios.sweeps.workers import open_workers

    with sweep.writing():
        table = SweepTable(sweep)
        waiting = sweep.waiting(retry_failed=retry_failed)
        total = len(sweep.tasks())
        with TaskProgress(f"sweep of {sweep.name}", total, total - len(waiting), quiet=quiet) as progress:
            if waiting:
                with open_workers(workers, scheduler, retry_failed=retry_failed, batch=batch) as run:
                    for tasks in sweep.in_order(waiting):
                        for result in run(sweep, tasks):
                            table.add([result])
                            progress.finished(failed=result["status"] == FAILED)
        sweep_figures.draw(sweep)


def collect(sweep: Sweep) -> Sequence[Path]:
    """Make table and figures from the finished tasks, on whichever machine they ran; return the figures."""
    with sweep.writing():
        SweepTable(sweep)
        return sweep_figures.draw(sweep)
