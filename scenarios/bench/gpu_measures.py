"""Measurements for a GPU: does it work, is it right, and a grid of parameter sets; and their models."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ethospike.brains.conformance import CHECKS, ConformanceError, check_parity
from ethospike.brains.conformance.models import OTHERS
from ethospike.brains.conformance.runs import check_long_clock
from ethospike.brains.conformance.specimens import LEAKY
from ethospike.brains.network import Network, Population
from ethospike.brains.simulator import Simulator, SimulatorSettings, open_simulator, simulator_class
from ethospike.brains.simulator.registry import opened_by
from ethospike.scenarios.bench.rows import Row
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.rest.scenario import SCENARIO as REST
from ethospike.scenarios.sweeps.batches import batches
from ethospike.scenarios.sweeps.folder import DONE, Plan, Sweep
from ethospike.scenarios.sweeps.points import grid
from ethospike.scenarios.sweeps.task import run_tasks

FIRST_CHECKS = (
    "check_first_spike_latency",
    "check_delays",
    "check_stimulus_timing",
    "check_stimulus_adds_up",
    "check_current_timing",
    "check_live_input",
    "check_signs",
    "check_weights",
    "check_plasticity",
    "check_same_seed_same_spikes",
    "check_split_run",
    "check_animals_are_independent",
)
"""The twelve checks of the clock, inputs, weights, plasticity, seeds and animals; others may fail of them."""
FIRST, OTHER = "first twelve", "the others"
GRID_POINTS = 1600
"""Points of the published grid search."""
REFERENCE = SimulatorSettings("numba", precision="double")


class Model(NamedTuple):
    """Parameter sets of one model, and the arguments of the simulator that runs them."""

    networks: tuple[Network, ...]
    settings: SimulatorSettings
    options: dict[str, Any]


def measure_conformance(row: Row) -> dict[str, Any]:
    """Run the checks of a row in single precision; count the passed ones and list the messages of others."""
    failed, begin = {}, time.perf_counter()
    for check in checks_of(row):
        try:
            check(_opener(row.settings))
        except Exception as error:  # of whatever kind: the other checks are still of use
            failed[check.__name__] = f"{type(error).__name__}: {error}"
    return _checked(row, len(checks_of(row)), failed, begin)


def measure_parity(row: Row) -> dict[str, Any]:
    """Compare small deterministic networks of every neuron model with Numba, spike by spike."""
    failed, begin = {}, time.perf_counter()
    models = (*LEAKY, *OTHERS)
    for model in models:
        try:
            check_parity(_opener(row.settings), _opener(REFERENCE), model, tolerance_steps=1)
        except Exception as error:  # of whatever kind: the other models are still of use
            failed[model] = f"{type(error).__name__}: {error}"
    return _checked(row, len(models), failed, begin)


def checks_of(row: Row) -> list[Callable[[Any], None]]:
    """Return the conformance checks of a row; the long clock, with its 17 million steps, is the last."""
    chosen = [check for check in CHECKS if (check.__name__ in FIRST_CHECKS) == (row.network == FIRST)]
    return sorted(chosen, key=lambda check: check is check_long_clock)


def _opener(settings: SimulatorSettings) -> Callable[..., Simulator]:
    return lambda network, **options: open_simulator(network, settings, **options)


def _checked(row: Row, count: int, failed: dict[str, str], begin: float) -> dict[str, Any]:
    with open_simulator(Network((Population("E", 1, "iaf_psc_exp"),)), row.settings, seed=1) as simulator:
        backend = simulator.backend
    return {
        "backend": backend,
        "checks": count,
        "passed": count - len(failed),
        "failed": failed,
        "wall_s": time.perf_counter() - begin,
    }


def measure_grid(row: Row) -> dict[str, Any]:
    """Time a sweep over as many currents as the row has parameter sets, recorded and measured.

    They are one model where the simulator has batches, and run one after the other elsewhere.
    """
    with tempfile.TemporaryDirectory() as folder:
        sweep = _grid(row, Path(folder) / "sweep")
        groups = batches(sweep, sweep.tasks())
        begin = time.perf_counter()
        results = [
            result for group in groups for result in run_tasks(sweep.path, [task.number for task in group])
        ]
        wall_s = time.perf_counter() - begin
    rates = [result["measures"]["rate_hz.E"] for result in results if result["status"] == DONE]
    errors = [result["error"] for result in results if result["status"] != DONE]
    return {
        "sets": len(results),
        "sets_a_model": max(len(group) for group in groups),
        "wall_s": wall_s,
        "all_points_s": wall_s * GRID_POINTS / len(results),
        "rate_hz": float(np.mean(rates)) if rates else float("nan"),
        **({"error": errors[0]} if errors else {}),
    }


def _grid(row: Row, path: Path) -> Sweep:
    """Make the sweep of a row, over the currents into E of the published grid search."""
    words = ["--network", row.network, "--minutes", f"{row.seconds / 60.0:.10f}"]
    words += ["--control-interval-ms", f"{row.interval_ms:g}", "--simulator.name", row.simulator]
    points = grid(REST, [f"cortex.I_th_E=0.95:2.90:{row.animals}"])
    return Sweep.create(path, REST, configure(REST, words), Plan(points))


MEASURES = {"conformance": measure_conformance, "parity": measure_parity, "grid": measure_grid}
"""Measurements by kind of row."""


# -- models ---------------------------------------------------------------------------------------------


class _Recorded(BaseException):
    """The model of a row is known; nothing is built."""


def models_of(row: Row, measure: Callable[[Row], Any]) -> Iterator[Model]:
    """Yield the models that a row will open.

    The networks of checks are recorded while the checks run on Numba; of other rows, the measurement is
    followed to the point where it would open its simulator.
    """
    models: list[Model] = []

    def recorded(network: Network, settings: SimulatorSettings, **options: Any) -> Simulator:
        models.append(Model((network,), row.settings, options))
        if row.kind not in ("conformance", "parity"):
            raise _Recorded
        return simulator_class(REFERENCE.name)(network, REFERENCE, **options)

    if row.kind == "grid":
        yield from _grid_models(row)
    elif row.kind == "conformance":
        for check in checks_of(row):
            if check is not check_long_clock:  # its network is one of the others'
                with suppress(ConformanceError), opened_by(recorded):
                    check(_opener(row.settings))
                yield from _taken(models)
    elif row.kind == "parity":
        for model in (*LEAKY, *OTHERS):
            with opened_by(recorded):
                check_parity(_opener(row.settings), _opener(row.settings), model)
            yield from _taken(models)
    else:
        with suppress(_Recorded), opened_by(recorded):
            measure(row)
        yield from _taken(models)


def _taken(models: list[Model]) -> Iterator[Model]:
    yield from models
    models.clear()


def _grid_models(row: Row) -> Iterator[Model]:
    with tempfile.TemporaryDirectory() as folder:
        sweep = _grid(row, Path(folder) / "sweep")
        for group in batches(sweep, sweep.tasks()):
            recorded: list[Model] = []
            for task in group:
                with suppress(_Recorded), opened_by(_recorder(recorded)):
                    REST.open(sweep.config(task))
            yield recorded[0]._replace(networks=tuple(model.networks[0] for model in recorded))


def _recorder(models: list[Model]) -> Callable[..., Simulator]:
    def recorded(network: Network, settings: SimulatorSettings, **options: Any) -> Simulator:
        models.append(Model((network,), settings, options))
        raise _Recorded

    return recorded


def compile_model(model: Model) -> float:
    """Compile a model into the cache, unless it is there; return the wall time (s)."""
    from ethospike.brains.genn.batch import CompiledModel

    begin = time.perf_counter()
    CompiledModel(model.networks, model.settings, **model.options).close()
    return time.perf_counter() - begin
