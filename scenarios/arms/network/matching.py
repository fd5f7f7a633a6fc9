"""Rates of a changed network, matched to those of the intact one by the gains of its inputs.

The procedure: the scenario runs from its beginning for some time, with animals of a seed of its own, intact
and changed. Where the mean rate of a population is off by more than the tolerance, the weights of its
excitatory projections without plasticity are multiplied, and the changed animals run again. Populations with
shuffled inputs come first; the others follow when those are within the tolerance.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ethospike.agents.agent import Agent
from ethospike.brains.network import ClusteredWeight, Distribution, Network, Projection
from ethospike.errors import ArmError
from ethospike.recorders.recorder import Recorder, StepRecord
from ethospike.scenarios.loop import LoopState, run_closed_loop, start_loop
from ethospike.scenarios.scenario import ScenarioConfig, unchanged

TOLERANCE = 0.1
"""Largest relative difference of a population's mean rate from the intact animals'."""
ROUNDS = 20
"""Most runs of the changed network."""
LARGEST_STEP = 1.5
"""Largest factor of a gain from one round to the next: rates of recurrent networks jump."""
LEAST_SPIKES = 50
"""Spikes of a population, in all animals, below which it counts as silent: the standard deviation of fewer is
above the tolerance."""
WARM_UP_S = 1.0
"""Time left out at the beginning, in which the network forgets its initial potentials (s)."""
FIRST_SEED = 1_000_000
"""Seed of the calibration for a shuffle of seed 0: other animals than those of experiments."""

Gains = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Matching:
    """The result of a calibration: gains by projection, and rates (Hz) by population."""

    gains: Gains
    intact_hz: dict[str, float]
    before_hz: dict[str, float]
    matched_hz: dict[str, float]
    rounds: int
    largest_difference: float


def match(
    arm: Any, opened: Callable[..., Any], config: ScenarioConfig, change: Callable[[Gains], Network]
) -> Matching:
    """Return the gains of projections at which the rates of a changed network match.

    Parameters
    ----------
    arm : ShuffleArm
        Gives `seed`, `calibration_s` and `calibration_animals`.
    opened : callable(config, change_network) -> (VectorEnv, Agent)
        Opens the scenario.
    config : ScenarioConfig
    change : callable(gains) -> Network
        Makes the changed network.

    Raises
    ------
    ArmError
        When rates are not within the tolerance after the last round; the message gives them.
    """
    trial = dataclasses.replace(
        config, seed=FIRST_SEED + arm.seed, animals=arm.calibration_animals, arm=(), checkpoint_every_s=0.0
    )

    def measured(gains: Gains | None) -> _Rates:
        changed = unchanged if gains is None else lambda network: change(gains)
        return _rates(opened, trial, changed, arm.calibration_s)

    intact = measured(None)
    network = change({})
    courses = {name: _Course(intact.hz[name]) for name in intact.hz}
    before, gains = None, Gains()
    for number in range(1, ROUNDS + 1):
        now = measured(gains)
        before = before or now
        differences = _differences(intact, now)
        outside = [name for name, difference in differences.items() if abs(difference) > TOLERANCE]
        if not outside:
            largest = max(map(abs, differences.values()), default=0.0)
            return Matching(gains, intact.hz, before.hz, now.hz, number, largest)
        adjusted = _adjustable(network, outside)
        if not adjusted:
            break
        gains = dict(gains)
        for population, projections in adjusted.items():
            gain = courses[population].next_gain(now.hz[population])
            gains |= dict.fromkeys(projections, gain)
    rates = ", ".join(f"{name} {now.hz[name]:.3g} instead of {intact.hz[name]:.3g}" for name in outside)
    raise ArmError(
        f"arm shuffle: rates cannot be matched within {TOLERANCE:.0%} by the gains of inputs: {rates} Hz "
        f"after {number} rounds; shuffle fewer projections, or compare without `matched`"
    )


@dataclasses.dataclass(frozen=True)
class _Rates:
    """Mean rate of each population (Hz), and its spikes in all animals."""

    hz: dict[str, float]
    spikes: dict[str, int]


def _differences(intact: _Rates, now: _Rates) -> dict[str, float]:
    """Return relative differences of rates, of populations that are not silent in both."""
    return {
        name: now.hz[name] / rate - 1.0 if rate else math.inf
        for name, rate in intact.hz.items()
        if max(intact.spikes[name], now.spikes[name]) >= LEAST_SPIKES
    }


def _adjustable(network: Network, outside: list[str]) -> dict[str, list[str]]:
    """Return the projections whose gains are to change, by their target."""
    excitatory = [p for p in network.projections if p.plasticity is None and _is_excitatory(p)]
    onto = {name: [p.name for p in excitatory if p.target == name] for name in outside}
    onto = {name: projections for name, projections in onto.items() if projections}
    shuffled = {p.target for p in network.projections if p.shuffle is not None}
    first = {name: projections for name, projections in onto.items() if name in shuffled}
    return first or onto


def _is_excitatory(projection: Projection) -> bool:
    weight: Any = projection.weight
    if isinstance(weight, ClusteredWeight):
        return weight.within >= 0 and weight.across >= 0
    if isinstance(weight, Distribution):
        return bool((np.asarray(weight.draw(np.random.default_rng(0), 100)) >= 0).all())
    return bool((np.asarray(weight) >= 0).all())


class _Course:
    """The search for one population's gain, in logarithms: rates are taken for powers of the gain."""

    def __init__(self, wanted_hz: float) -> None:
        self._wanted_hz = wanted_hz
        self._gain, self._exponent = 1.0, 1.0
        self._last: tuple[float, float] | None = None

    def next_gain(self, rate_hz: float) -> float:
        """Return the gain of the next round, from the rate at the present one."""
        limit = math.log(LARGEST_STEP)
        if rate_hz <= 0 or self._wanted_hz <= 0:
            step = limit if rate_hz <= 0 else -limit
        else:
            here = math.log(self._gain), math.log(rate_hz)
            if self._last is not None and abs(here[0] - self._last[0]) > 1e-6:
                slope = (here[1] - self._last[1]) / (here[0] - self._last[0])
                self._exponent = min(max(slope, 0.5), 20.0)
            self._last = here
            step = (math.log(self._wanted_hz) - here[1]) / self._exponent
        self._gain *= math.exp(min(max(step, -limit), limit))
        return self._gain


class _Counter(Recorder):
    """Counts the spikes of each neuron after the warm-up."""

    def __init__(self, n_neurons: int, warm_up_steps: int) -> None:
        self.counts = np.zeros(n_neurons, dtype=np.int64)
        self.control_steps = 0
        self._warm_up_steps = warm_up_steps

    def record(self, record: StepRecord) -> None:
        if record.control_step >= self._warm_up_steps and record.spikes is not None:
            self.counts += np.bincount(record.spikes.neuron, minlength=len(self.counts))
            self.control_steps += 1

    def close(self, status: str = "complete") -> None:
        """Keep the counts."""


def _rates(
    opened: Callable[..., Any],
    config: ScenarioConfig,
    change_network: Callable[[Network], Network],
    length_s: float,
) -> _Rates:
    """Run a scenario for some time and return the rates of its populations."""
    interval_s = config.control_interval_ms / 1000.0
    n_steps, warm_up = math.ceil(length_s / interval_s), math.ceil(WARM_UP_S / interval_s)
    env, agent = opened(config, change_network=change_network)
    try:
        network = _network_of(agent)
        counter = _Counter(network.n_neurons, warm_up)
        loop = start_loop(env, agent, seed=config.seed, action_delay=config.action_delay)
        run_closed_loop(env, agent, counter, loop, lambda loop: _goes_on(loop, n_steps))
    finally:
        agent.close()
        env.close()
    counted_s = counter.control_steps * interval_s
    if not counted_s:
        raise ArmError(f"arm shuffle: calibration_s: expected more than {WARM_UP_S:g} s, got {length_s:g}")
    spikes = {p.name: int(counter.counts[network.neurons(p.name)].sum()) for p in network.populations}
    hz = {p.name: spikes[p.name] / (p.size * config.animals * counted_s) for p in network.populations}
    return _Rates(hz, spikes)


def _goes_on(loop: LoopState, n_steps: int) -> bool:
    return loop.control_step < n_steps


def _network_of(agent: Agent) -> Network:
    if agent.network is None:
        raise ArmError("arm shuffle: the agent has no network")
    return agent.network
