"""Tasks of a sweep that may run as one model: parameter sets on a simulator that has batches."""

from __future__ import annotations

from collections.abc import Sequence

from ethospike.brains.simulator import simulator_class
from ethospike.errors import EthospikeError, ScenarioError
from ethospike.scenarios.sweeps.folder import Sweep, Task

BATCH = 40
"""Parameter sets in a model by default: those of the published grid search (Schmitt et al. 2023)."""


def batches(sweep: Sweep, tasks: Sequence[Task], size: int = 0) -> list[list[Task]]:
    """Divide tasks into groups that are run together; the tasks of a group have one seed, hence one wiring.

    Parameters
    ----------
    sweep : Sweep
    tasks : sequence of Task
    size : int
        Largest group; 1 runs each task by itself, 0 forms groups of up to `BATCH` where the simulator of the
        first task has batches on this machine.

    Raises
    ------
    ScenarioError
        When `size` is negative.
    """
    check_batch(size)
    size = size or (BATCH if tasks and runs_batches(sweep, tasks[0]) else 1)
    by_seed: dict[int, list[Task]] = {}
    for task in tasks:
        by_seed.setdefault(task.seed, []).append(task)
    groups = [group[i : i + size] for group in by_seed.values() for i in range(0, len(group), size)]
    return sorted(groups, key=lambda group: group[0].number)


def check_batch(size: int) -> None:
    """Raise `ScenarioError` if a size of batches is negative."""
    if size < 0:
        raise ScenarioError(f"batch: expected at least 1, or 0 for up to {BATCH} on a GPU, got {size}")


def runs_batches(sweep: Sweep, task: Task) -> bool:
    """Return True where the simulator of a task runs parameter sets that share a wiring as one model."""
    try:
        settings = sweep.config(task).simulator
        return simulator_class(settings.name).runs_batches(settings)
    except EthospikeError:
        return False  # the task itself reports it
