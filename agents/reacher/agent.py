"""The reaching agent: a clustered cortex between the signals of the delayed reach and the drive of the hand.

The signals become currents into the clusters of their directions; the race of the clusters (`race.py`)
decides for a direction, and the hand (`hand.py`) goes there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import BrainAgent, Decision
from ethospike.agents.reacher.hand import HandConfig, HandControl, ReachSenses
from ethospike.agents.reacher.race import BIN_MS, UNDECIDED, ClusterRace, first_crossing
from ethospike.brains.circuits.clustered_cortex import CortexConfig, clustered_cortex
from ethospike.brains.network import Network
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.clock import whole_number
from ethospike.configuration import configured
from ethospike.errors import AgentError
from ethospike.randomness import Role, random_stream
from ethospike.shown import Shown
from ethospike.states import State, join_states, state_of
from ethospike.variables import Panel, variable

STIMULUS_V_TH = 15.0
"""Threshold in mV for which the currents are stated; they scale with it, as all currents of the model do."""
SMOOTHED_S = 0.05
"""Width of the running mean of cluster rates in a view (s): in 10 ms a neuron fires hardly once."""
PUBLISHED_DIRECTIONS = {"reach-fig5": (2, 4, 1, 3, 5, 0), "reach-fig6": (0, 3, 4, 5, 1, 2)}
"""Cluster of each direction in the two published networks: the authors' draw from the same seeds as the
wirings (simulate_experiment.py with 150 and with 2000 trials a condition)."""


@dataclass(frozen=True)
class ReacherConfig(Shown):
    """Wiring of the cortex to the task, and the read-out of its decision.

    Raises
    ------
    AgentError
        When there are fewer clusters than directions, or a value is out of range.
    """

    cortex: CortexConfig = field(default_factory=CortexConfig)
    """The network; `parameter_set("large")` of `brains.clustered_cortex` for 25,000 neurons."""
    directions: int = 6
    """Directions, one a target; each gets ⌊clusters/directions⌋ clusters (6: one; 20: three, two unused)."""
    direction_clusters: tuple[int, ...] = ()
    """Clusters (from 0) of the first direction, then those of the second, and so on, the same in every
    animal; empty: drawn for each animal."""
    preparatory_pa: float = 0.1
    """Current into the clusters of each cued direction at V_th = 15 mV (pA; authors' fig5.py, fig6.py)."""
    response_pa: float = 0.1
    """Current into the clusters of the target's direction at V_th = 15 mV (pA; authors' fig5.py, fig6.py)."""
    tau_ms: float = 50.0
    """Time constant of the integration of cluster rates (ms; authors' fig6.py)."""
    threshold: float = 0.87
    """Share of one direction in the sum of all integrals that decides: as drawn in Fig 6a (dashed lines)."""
    decision_window_ms: float = 1000.0
    """A trial without a decision so long after the response signal is undecided (ms; authors' tlim)."""
    hand: HandConfig = field(default_factory=HandConfig)
    """Control of the hand after a decision."""

    def __post_init__(self) -> None:
        if not 2 <= self.directions <= self.cortex.clusters:
            raise AgentError(
                f"ReacherConfig.directions: expected 2 … {self.cortex.clusters}, the clusters of the "
                f"cortex, got {self.directions}"
            )
        # A configuration file has lists where a frozen dataclass needs tuples.
        object.__setattr__(self, "direction_clusters", tuple(self.direction_clusters))
        listed, n_listed = self.direction_clusters, self.directions * self.clusters_per_direction
        known = set(range(self.cortex.clusters))
        if listed and not (len(listed) == len(set(listed)) == n_listed and known.issuperset(listed)):
            raise AgentError(
                f"ReacherConfig.direction_clusters: expected {n_listed} different clusters of "
                f"0 … {self.cortex.clusters - 1}, {self.clusters_per_direction} for each of "
                f"{self.directions} directions, or none; got {listed}"
            )
        for name in ("preparatory_pa", "response_pa"):
            if not np.isfinite(getattr(self, name)):
                raise AgentError(
                    f"ReacherConfig.{name}: expected a finite current, got {getattr(self, name)}"
                )
        for name in ("tau_ms", "decision_window_ms"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= BIN_MS):
                raise AgentError(f"ReacherConfig.{name}: expected at least {BIN_MS:g} ms, got {value}")
        if not 0 < self.threshold < 1:
            raise AgentError(f"ReacherConfig.threshold: expected a share in (0, 1), got {self.threshold}")

    @property
    def clusters_per_direction(self) -> int:
        """Clusters that stand for one direction."""
        return self.cortex.clusters // self.directions


class ReacherAgent(BrainAgent):
    """A clustered cortex that reaches for the direction of the winning clusters.

    Parameters
    ----------
    config : ReacherConfig, optional
    simulator : SimulatorSettings, optional
    seed : int
        Of the wiring and of the clusters' assignment to directions, where these are drawn; keyed by animal.
    animals : int
    control_interval_ms, dt_ms : float
        A control step must be a whole number of milliseconds and of steps.
    network : Network, optional
        A network of your own, such as an altered `clustered_cortex(config.cortex)`: it has a population "E"
        of `config.cortex.clusters` clusters, and a current channel for each of them. `config.cortex` then
        gives the scale of the currents alone.

    Raises
    ------
    AgentError
        When the control step does not fit, or the network has other clusters or channels.

    Attributes
    ----------
    direction_clusters : ndarray of int, shape (animals, directions, clusters_per_direction)
        The clusters that stand for each direction.

    Examples
    --------
    >>> from ethospike.envs.delayed_reach import DelayedReachEnv
    >>> env = DelayedReachEnv()
    >>> observation, _ = env.reset(seed=1)
    >>> with ReacherAgent(seed=1) as agent:
    ...     decision = agent.act(observation)
    >>> decision.readout["cluster_rate_hz"].shape
    (1, 6)
    """

    def __init__(
        self,
        config: ReacherConfig | Mapping[str, Any] | None = None,
        simulator: SimulatorSettings | None = None,
        *,
        seed: int,
        animals: int = 1,
        control_interval_ms: float = 10.0,
        dt_ms: float = 0.1,
        network: Network | None = None,
    ) -> None:
        super().__init__(animals, control_interval_ms)
        self.config = config = configured(ReacherConfig, config, AgentError)
        self._steps_per_bin = _whole(BIN_MS, dt_ms, "steps of dt_ms")
        self._bins = _whole(control_interval_ms, BIN_MS, "milliseconds")
        self.direction_clusters = np.stack([self._assign(seed, animal) for animal in range(animals)])
        # Row d of an animal's matrix marks the clusters of direction d.
        self._member = np.zeros((animals, config.directions, config.cortex.clusters))
        np.put_along_axis(self._member, self.direction_clusters, 1.0, axis=2)
        self._scale = config.cortex.V_th / STIMULUS_V_TH
        self._race = ClusterRace(animals, config.directions, self._bins, config.tau_ms)
        self._hand = HandControl(config.hand, animals, config.directions)
        self._direction = np.full(animals, UNDECIDED)
        self._decision_ms = np.full(animals, float(UNDECIDED))
        self.variables = _variables(config)
        self.network = clustered_cortex(config.cortex) if network is None else _checked(network, config)
        self._population = self.network.population("E")
        self._first_neuron = self.network.offset("E")
        self.simulator = open_simulator(self.network, simulator, seed=seed, animals=animals, dt_ms=dt_ms)
        self.backend = self.simulator.backend

    def _assign(self, seed: int, animal: int) -> NDArray[np.int64]:
        """Return the clusters of each direction of an animal, shape (directions, clusters_per_direction)."""
        config = self.config
        clusters = np.array(config.direction_clusters, dtype=np.int64)
        if not len(clusters):
            clusters = random_stream(seed, animal, Role.DIRECTIONS).permutation(config.cortex.clusters)
        used = config.directions * config.clusters_per_direction
        return clusters[:used].reshape(config.directions, config.clusters_per_direction)

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        senses = ReachSenses.of(observation, self.config.directions)
        self._hand.sense(senses)
        stimulus = Stimulus.currents(self._currents(senses))
        begin = self.simulator.step
        spikes = self.simulator.run(self._bins * self._steps_per_bin, stimulus)
        counts = self._count(spikes, begin)
        share = self._race.advance(self._member @ counts / self.config.clusters_per_direction)
        self._decide(share, senses)
        readout = {
            "cluster_rate_hz": counts.mean(axis=2) * (1000.0 / BIN_MS),
            "decision_variable": share[:, :, -1],
            "decided_direction": self._direction.copy(),
            "decision_ms": self._decision_ms.copy(),
        }
        return Decision(self._hand.drive(senses), stimulus, spikes, readout)

    def _currents(self, senses: ReachSenses) -> NDArray[np.float64]:
        """Return the currents that the signals become in pA, shape (animals, clusters)."""
        per_direction = (
            self.config.preparatory_pa * senses.preparatory + self.config.response_pa * senses.response
        )
        return np.asarray(self._scale * (per_direction[:, None, :] @ self._member)[:, 0])

    def _count(self, spikes: SpikeBlock, begin: int) -> NDArray[np.float64]:
        """Return spikes per neuron of each excitatory cluster and bin, shape (animals, clusters, bins)."""
        shape = (self.animals, self._population.clusters, self._bins)
        neuron = spikes.neuron - self._first_neuron
        mine = (neuron >= 0) & (neuron < self._population.size)
        cluster = neuron[mine] // self._population.cluster_size
        # Step s is the interval (s − 1, s], so bin 0 holds begin + 1 … begin + steps_per_bin.
        bins = (spikes.step[mine] - 1 - begin) // self._steps_per_bin
        flat = (spikes.animal[mine] * shape[1] + cluster) * shape[2] + bins
        counts = np.bincount(flat, minlength=math.prod(shape)).reshape(shape)
        return counts / self._population.cluster_size

    def _decide(self, share: NDArray[np.float64], senses: ReachSenses) -> None:
        """Let the race decide where the hand is armed, and send it."""
        cleared = senses.preparatory.any(axis=1) | (self._hand.armed & (self._hand.since_signal == 0))
        self._direction[cleared], self._decision_ms[cleared] = UNDECIDED, UNDECIDED
        armed = self._hand.armed
        if not armed.any():
            return
        winner, offset = first_crossing(share, self.config.threshold)
        time_ms = self._hand.since_signal * self.control_interval_ms + offset * BIN_MS
        decided = armed & (winner != UNDECIDED) & (time_ms < self.config.decision_window_ms)
        self._direction[decided], self._decision_ms[decided] = winner[decided], time_ms[decided]
        self._hand.send(decided, winner)

    def _own_state(self) -> State:
        parts = {
            "integral": self._race.integral.copy(),
            "direction": self._direction.copy(),
            "decision_ms": self._decision_ms.copy(),
        }
        return parts | join_states({"hand": self._hand.state()})

    def _set_own_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._hand.set_state(state_of("hand", state))
        self._race.integral = np.array(state["integral"], dtype=np.float64)
        self._direction[...] = state["direction"]
        self._decision_ms[...] = state["decision_ms"]


def _variables(config: ReacherConfig) -> dict[str, dict[str, Any]]:
    return {
        "cluster_rate_hz": variable(
            "mean rate of each excitatory cluster in the window",
            "Hz",
            "float32",
            panel=Panel(
                f"cluster rates (Hz), mean of {SMOOTHED_S * 1000:g} ms", key="f", smoothed_s=SMOOTHED_S
            ),
            cluster=config.cortex.clusters,
        ),
        "decision_variable": variable(
            "share of each direction in the integrated rates at the end of the window",
            "1",
            "float32",
            panel=Panel("decision variable", low=0.0, high=1.0),
            direction=config.directions,
        ),
        "decided_direction": variable("direction that won the race, −1 before", "1", "int64"),
        "decision_ms": variable("response signal to the decision in the spikes, −1 before", "ms", "float64"),
    }


def _checked(network: Network, config: ReacherConfig) -> Network:
    """Return a network that has the clusters of a configuration and a channel for each.

    Raises
    ------
    AgentError
        When it has not.
    """
    expected = config.cortex.clusters
    clusters = {population.name: population.clusters for population in network.populations}
    if clusters.get("E") != expected:
        raise AgentError(
            f"network: expected a population 'E' of {expected} clusters (config.cortex.clusters), got "
            f"{clusters.get('E', 'none of this name')}"
        )
    if network.n_current_channels != expected:
        raise AgentError(
            f"network: expected {expected} current channels, one for each cluster of 'E', got "
            f"{network.n_current_channels}"
        )
    return network


def _whole(duration_ms: float, unit_ms: float, units: str) -> int:
    """Return a duration as a whole number of units, or raise with both numbers."""
    count = whole_number(duration_ms, unit_ms)
    if count is None:
        raise AgentError(f"{duration_ms:g} ms is not a whole number of {units} ({unit_ms:g} ms each)")
    return count
