"""A task of a sweep: a run of the scenario at a point, with its result in `result.json`.

A finished task is never run again; a killed task leaves no result.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ethospike.brains.simulator.lockstep import Postponed, in_lockstep
from ethospike.errors import RecordingError, RunFolderError, ScenarioError
from ethospike.recorders.lock import WriterLock
from ethospike.recorders.memory import give_back_memory
from ethospike.scenarios.arms.arm import GROUP
from ethospike.scenarios.run.files import MACHINE_ERRORS, write_whole
from ethospike.scenarios.run.runner import ARMS, run_scenario
from ethospike.scenarios.run.signals import RunStopped
from ethospike.scenarios.sweeps.folder import DONE, FAILED, MANIFEST, RESULT, RUN, Sweep, Task

Measures = dict[str, float | None]


def run_task(
    path: Path, number: int, settings: Mapping[str, Any] | None = None, *, retry_failed: bool = False
) -> dict[str, Any]:
    """Run a task unless it is finished, and return its result.

    Parameters
    ----------
    path : Path
        The sweep's folder.
    number : int
    settings : nested mapping, optional
        Values of the configuration that depend on the machine, such as `simulator.threads`.
    retry_failed : bool
        Run a failed task again.

    Returns
    -------
    dict
        `number`, `point`, `seed`, `status` (done or failed), `measures` (numbers by name), `animals` (of
        the measures with a value for each animal, these values), `error` (None, or the message of a task that
        failed), `wall_s`.

    Raises
    ------
    RunFolderError
        When another process runs the task, or its folder cannot be written to.
    OSError
        For a full disk and other faults of the machine, not of the task.
    RunStopped
        When a signal stopped the run; the task then counts as not begun.
    """
    sweep = _opened(path)
    task = sweep.task(number)
    with _right_to_run(sweep, task):
        finished = sweep.result(number)
        if finished is not None and not (retry_failed and finished["status"] == FAILED):
            return finished
        begin = time.monotonic()
        partners = _partners(sweep, task)
        try:
            if failed := [number for number, result in partners.items() if result["status"] == FAILED]:
                raise ScenarioError(f"it refers to the run of task {failed[0]}, which failed")
            summary = _summary(sweep, task, settings)
            outcome = {
                "status": DONE,
                "measures": flattened(summary),
                "animals": animal_values(summary),
                "error": None,
            }
        except RunStopped:
            raise
        except Exception as error:  # whatever a scenario raises: it is recorded, and the others go on
            if _is_of_the_machine(error):
                raise
            outcome = _failure(f"{type(error).__name__}: {error}", traceback.format_exc())
        return _write(sweep, task, outcome, time.monotonic() - begin)


def run_tasks(
    path: Path,
    numbers: Sequence[int],
    settings: Mapping[str, Any] | None = None,
    *,
    retry_failed: bool = False,
) -> Iterator[dict[str, Any]]:
    """Run tasks side by side as parameter sets of one model, as far as they share a wiring and memory goes.

    Tasks that cannot be part of a model are run one after the other. Yields and raises as `run_task`.
    """
    run = partial(run_task, path, settings=settings, retry_failed=retry_failed)
    waiting, alone = list(numbers), list[int]()
    while len(waiting) > 1:
        outcomes = in_lockstep([partial(run, number) for number in waiting])
        waiting_before, waiting = waiting, []
        for number, outcome in zip(waiting_before, outcomes, strict=True):
            if not isinstance(outcome, Postponed):
                yield outcome
            else:
                (alone if outcome.alone else waiting).append(number)
    for number in [*waiting, *alone]:
        yield run(number)


def record_failure(sweep: Sweep, task: Task, error: str) -> dict[str, Any]:
    """Record that a task could not be run; return its result, or the existing result if there is one."""
    with _right_to_run(sweep, task):
        return sweep.result(task.number) or _write(sweep, task, _failure(error), 0.0)


@contextmanager
def _right_to_run(sweep: Sweep, task: Task) -> Iterator[None]:
    folder = sweep.folder(task.number)
    folder.mkdir(exist_ok=True)
    try:
        lock = WriterLock(folder / RESULT)
    except RecordingError as error:
        raise RunFolderError(f"task {task.number}: {error}") from error
    try:
        yield
    finally:
        lock.release()


def _failure(error: str, details: str = "") -> dict[str, Any]:
    return {"status": FAILED, "measures": {}, "error": error, "traceback": details}


def _write(sweep: Sweep, task: Task, outcome: Mapping[str, Any], wall_s: float) -> dict[str, Any]:
    """Write the result of a task, which marks it as finished."""
    result = {**dataclasses.asdict(task), **outcome, "wall_s": round(wall_s, 3)}
    write_whole(sweep.folder(task.number) / RESULT, (json.dumps(result, indent=1) + "\n").encode())
    return result


def _summary(sweep: Sweep, task: Task, settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Run the task's scenario and return its summary."""
    run = sweep.folder(task.number) / RUN
    shutil.rmtree(run, ignore_errors=True)  # of a task that was killed
    config = sweep.config(task, settings)
    try:
        result = run_scenario(sweep.scenario, config, run, quiet=True, draw=sweep.keep_recordings)
        return _with_groups(result.complete_summary(), sweep.references(task))
    finally:
        give_back_memory()
        if not sweep.keeps(task):
            with suppress(OSError):
                shutil.rmtree(run)


def _partners(sweep: Sweep, task: Task) -> dict[int, dict[str, Any]]:
    """Return the results of the tasks to whose runs a task refers, by number.

    Raises
    ------
    RunFolderError
        When one of them is not finished: this task cannot be run yet.
    """
    results = {}
    for point in sweep.partners(task.point):
        number = sweep.number(point, sweep.seeds.index(task.seed))
        result = sweep.result(number)
        if result is None:
            raise RunFolderError(
                f"task {task.number} refers to the run of task {number} (group {sweep.groups[point]}), which "
                f"is not finished; run that one first"
            )
        results[number] = result
    return results


def _with_groups(summary: dict[str, Any], references: Mapping[str, Path]) -> dict[str, Any]:
    """Return a summary whose proofs name groups, not folders: the table is the same in any folder."""
    if not references or ARMS not in summary:
        return summary
    proofs = {}
    for text, proof in summary[ARMS].items():
        for group, path in references.items():
            for written in (shlex.quote(str(path)), str(path)):
                text = text.replace(written, shlex.quote(f"{GROUP}{group}"))
        proofs[text] = proof
    return {**summary, ARMS: proofs}


def flattened(summary: Mapping[str, Any], prefix: str = "") -> Measures:
    """Return the numbers of a summary by name: `{"rate_hz": {"E": 3.1}}` becomes `{"rate_hz.E": 3.1}`.

    Lists and text are left out. NaN and None become None: the measure is not available.
    """
    numbers: Measures = {}
    for key, value in summary.items():
        if isinstance(value, Mapping):
            numbers |= flattened(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, (bool, int, float)):
            numbers[prefix + key] = None if value is None or math.isnan(value) else float(value)
    return numbers


def animal_values(summary: Mapping[str, Any], prefix: str = "") -> dict[str, list[float | None]]:
    """Return the measures of a summary that have a value for each animal, by name.

    They are the entries `{"animals": [...]}`: `{"choice": {"mean": 1.0, "animals": [0.5, 1.5]}}` becomes
    `{"choice": [0.5, 1.5]}`.
    """
    measures: dict[str, list[float | None]] = {}
    for key, value in summary.items():
        if not isinstance(value, Mapping):
            continue
        animals = value.get("animals")
        if isinstance(animals, list) and all(
            entry is None or isinstance(entry, (int, float)) for entry in animals
        ):
            measures[prefix + key] = [
                None if entry is None or math.isnan(entry) else float(entry) for entry in animals
            ]
        else:
            measures |= animal_values(value, f"{prefix}{key}.")
    return measures


@lru_cache(maxsize=1)
def _manifest(path: Path, modified_ns: int) -> Sweep:
    return Sweep.open(path)


def _opened(path: Path) -> Sweep:
    """Open a sweep, once for all its tasks unless points have been added in the meantime."""
    manifest = path / MANIFEST
    return _manifest(path, manifest.stat().st_mtime_ns) if manifest.exists() else Sweep.open(path)


def _is_of_the_machine(error: BaseException) -> bool:
    """Return True for an error of the machine: a full disk, no right to write, no memory."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in MACHINE_ERRORS):
            return True
        cause = cause.__cause__
    return False
