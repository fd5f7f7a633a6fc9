"""The base of spiking agents that learn from a reward: code, network, policy, and the course of a run.

Subclasses give the network and the modulation, and name the arrays that they keep.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import BrainAgent, Decision
from ethospike.agents.codes.policy import Policy
from ethospike.agents.reward.episodes import Course, check_numbers, checked_rewards, per_animal
from ethospike.agents.reward.network import ACTOR, NeuronsConfig
from ethospike.brains.network import Network
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.clock import whole_number
from ethospike.configuration import configured
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.errors import AgentError
from ethospike.shown import Shown
from ethospike.states import State, join_states, state_of
from ethospike.variables import Panel, variable

FEEDBACK = "action"
"""Channel of the action feedback."""
WITHHELD = "arm_withheld_feedback"
"""Variable of a network that does not hear the action feedback; variables `arm_…` are always recorded."""
_Modulation = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class LearnerConfig(Shown):
    """Code, neurons and policy of a spiking agent that learns from a reward.

    Raises
    ------
    AgentError
        When a number is out of range.
    """

    levels: int = 5
    """Values of a continuous action, evenly spaced over its range."""
    neurons: NeuronsConfig = field(default_factory=NeuronsConfig)
    """Code, sizes, rates and membranes."""
    tau_rate_ms: float = 40.0
    """Filter of rates: of the actor's, which choose, and of the critic's, of which the value is made."""
    hz_per_preference: float = 4.0
    """Difference of two rates that makes one action e times as probable as the other."""
    least_probability: float = 0.02
    """Share of choices made by chance. Chosen: without it, one actor–critic in twelve settles on a single
    action before it has learned anything, and its feedback, chosen − probability, is 0 for ever after."""
    tau_source_ms: float = 20.0
    """Trace of the source's spikes."""
    feedback_ms: float = 20.0
    """Time for which neurons are told the chosen action (ms), while they still see its observation: in longer
    windows, the choice falls so long before the end. In shorter ones, they are told in the next window."""

    def __post_init__(self) -> None:
        check_numbers(self, ("tau_rate_ms", "hz_per_preference", "tau_source_ms"), ("feedback_ms",))

    def policy(self, env: GymnasiumGroup) -> Policy:
        """Return the policy over the actions of an environment."""
        return Policy(env.action_entries, self.levels, self.least_probability)


Config = TypeVar("Config", bound=LearnerConfig)


class FilteredRate:
    """The mean rate of equal groups of neurons in Hz, filtered by an exponential; at the ends of windows.

    Parameters
    ----------
    first, n_groups, size : int
        First neuron, number of groups and neurons of a group.
    animals : int
    tau_ms, dt_ms : float
    """

    def __init__(
        self, first: int, n_groups: int, size: int, *, animals: int, tau_ms: float, dt_ms: float
    ) -> None:
        self._first, self._size, self._tau_steps = first, size, tau_ms / dt_ms
        self._n_neurons = n_groups * size
        self._decays: dict[int, NDArray[np.float64]] = {}
        self._hz_per_spike = 1000.0 / (tau_ms * size)
        self.rate_hz = np.zeros((animals, n_groups))

    def update(self, spikes: SpikeBlock, last_step: int, n_steps: int) -> NDArray[np.float64]:
        """Add the spikes of a window that ends with a step; return a copy of the rates, (animals, groups)."""
        decay = self._decays.get(n_steps)
        if decay is None:  # by steps before the end; the last is that of the rates of the window before
            decay = self._decays[n_steps] = np.exp(-np.arange(n_steps + 1) / self._tau_steps)
        neuron = spikes.neuron - self._first
        mine = np.flatnonzero((neuron >= 0) & (neuron < self._n_neurons))
        flat = spikes.animal[mine] * self.rate_hz.shape[1] + neuron[mine] // self._size
        added = np.bincount(flat, decay[last_step - spikes.step[mine]], self.rate_hz.size)
        self.rate_hz = self.rate_hz * decay[-1] + self._hz_per_spike * added.reshape(self.rate_hz.shape)
        return self.rate_hz.copy()


class SpikingLearner(BrainAgent, Generic[Config]):
    """A spiking agent with an actor that learns from the chosen actions and a modulator.

    Subclasses say in `_modulation` which reward acts in the next window.

    Parameters
    ----------
    env : GymnasiumGroup
        The environment that it is made for.
    config : LearnerConfig or mapping of its fields, optional
        Of the class in `kind`.
    simulator : SimulatorSettings, optional
    network : Network, optional
        The network that the agent would make for itself, changed: with a current channel for each channel of
        the code, and a population `actor` with a cluster for each group of the policy.
    seed : int
        Of weights, starting potentials and choices, keyed by animal.
    dt_ms : float

    Raises
    ------
    AgentError
        When a code or the network does not fit the environment, a field of the configuration is unknown, or
        the control interval is not a whole number of steps.
    """

    kind: ClassVar[type[LearnerConfig]] = LearnerConfig
    """Class of the configuration."""
    kept: ClassVar[tuple[str, ...]] = ("feedback", "reward", "has_reward", "ended", "window")
    """Arrays of the state: names of attributes without the underscore before them."""
    config: Config

    def __init__(
        self,
        env: GymnasiumGroup,
        config: Config | Mapping[str, Any] | None = None,
        simulator: SimulatorSettings | None = None,
        *,
        network: Network | None = None,
        seed: int,
        dt_ms: float = 1.0,
    ) -> None:
        super().__init__(env.num_envs, env.control_interval_ms)
        self.config = configured(self.kind, config, AgentError)  # type: ignore[assignment]
        n_steps = whole_number(env.control_interval_ms, dt_ms)
        if n_steps is None:
            raise AgentError(
                f"control_interval_ms: expected a whole number of steps of {dt_ms:g} ms, got "
                f"{env.control_interval_ms:g}"
            )
        self._n_steps, self._dt_ms, self._seed = n_steps, dt_ms, seed
        self._feedback_steps = min(n_steps, max(1, round(self.config.feedback_ms / dt_ms)))
        self._encoder, self._policy = self.config.neurons.encoder(env), self.config.policy(env)
        self.network = network or self._own_network(env)
        self._check_network(self.network)
        self._course = Course(env, seed)
        self._actor_rate = self._filtered(ACTOR, self._policy.n_groups)
        n = self.animals
        self._feedback = np.zeros((n, self._policy.n_groups))
        self._reward, self._has_reward, self._ended = np.zeros(n), np.zeros(n, bool), np.zeros(n, bool)
        self._window = np.zeros(n, np.int64)
        self.variables: dict[str, Any] = {
            "actor_rate_hz": variable(
                "filtered rate of each group of the actor",
                "Hz",
                "float32",
                panel=Panel("actor (Hz)", key="f"),
                cluster=self._policy.n_groups,
            )
        }
        if FEEDBACK not in self.network.modulation_channels:
            self.variables[WITHHELD] = variable(
                "action feedback that no synapse hears", "1", "float32", cluster=self._policy.n_groups
            )
        self._prepare()
        self.simulator = open_simulator(self.network, simulator, seed=seed, animals=n, dt_ms=dt_ms)
        self.backend = self.simulator.backend

    @abstractmethod
    def _own_network(self, env: GymnasiumGroup) -> Network:
        """Return the network of the agent for an environment."""

    def _prepare(self) -> None:
        """Make the attributes of a subclass, before the simulator is opened."""

    def _filtered(self, population: str, n_groups: int) -> FilteredRate:
        """Return the filter of the rates of a population's equal groups."""
        size = self.network.population(population).size // n_groups
        first = self.network.offset(population)
        return FilteredRate(
            first,
            n_groups,
            size,
            animals=self.animals,
            tau_ms=self.config.tau_rate_ms,
            dt_ms=self._dt_ms,
        )

    def _check_network(self, network: Network) -> None:
        """Check that a network has the channels of the code and the groups of the policy."""
        clusters = {population.name: population.clusters for population in network.populations}
        channels, needed = network.n_current_channels, self._encoder.n_channels
        if channels != needed or clusters.get(ACTOR) != self._policy.n_groups:
            raise AgentError(
                f"network: expected {needed} current channels and a population {ACTOR!r} of "
                f"{self._policy.n_groups} clusters, got {channels} channels and {clusters}"
            )

    # -- the control step ---------------------------------------------------------------------------

    @abstractmethod
    def _modulation(self) -> _Modulation:
        """Return the channels of `Stimulus.modulation` for the next window, without the action feedback.

        `_reward` is the reward of the control step before, where `_has_reward`; `_ended` is True in the
        window after a terminated episode.
        """

    def _part(self, modulation: _Modulation, share: float, is_last: bool) -> _Modulation:
        """Return the modulation of a part of the window, by its share of the window."""
        return modulation

    def _heard(self, modulation: _Modulation) -> _Modulation:
        """Return the channels that the network has: those of a changed one may be fewer."""
        return {name: modulation[name] for name in modulation if name in self.network.modulation_channels}

    def _gated(self, choice: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the action feedback, shape (animals, groups)."""
        return choice - probability

    def _read(self, spikes: SpikeBlock, last_step: int) -> dict[str, NDArray[np.float32]]:
        """Return further quantities to record; called in every window."""
        return {}

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        activity = self._encoder.encode(observation[:, :-1]) * observation[:, -1:]
        stimulus = Stimulus.currents(self.config.neurons.current_pa(activity))
        modulation = self._modulation()
        n_last = self._feedback_steps % self._n_steps
        n_first = self._n_steps - n_last
        share = n_first / self._n_steps
        begin = self._part(modulation, share, not n_last) | {FEEDBACK: self._feedback}
        spikes = self.simulator.run(n_first, replace(stimulus, modulation=self._heard(begin)))
        rate_hz = self._actor_rate.update(spikes, self.simulator.step, n_first)
        probability = self._policy.probabilities(rate_hz / self.config.hz_per_preference)
        choice = self._course.choices(self._policy, probability)
        feedback = self._gated(choice, probability) * self._course.in_episode[:, None]
        if n_last:
            end = self._part(modulation, 1.0 - share, True) | {FEEDBACK: feedback}
            last = self.simulator.run(n_last, replace(stimulus, modulation=self._heard(end)))
            self._actor_rate.update(last, self.simulator.step, n_last)
            spikes = SpikeBlock.joined([spikes, last])
        else:
            self._feedback = feedback
        self._window += 1
        self._has_reward[:] = self._ended[:] = False
        readout = {"actor_rate_hz": rate_hz.astype(np.float32), **self._read(spikes, self.simulator.step)}
        if WITHHELD in self.variables:
            readout[WITHHELD] = (feedback * self._course.learns[:, None]).astype(np.float32)
        return Decision(self._policy.action(choice), stimulus, spikes, readout)

    def learn(
        self,
        reward: NDArray[np.floating] | float,
        terminated: NDArray[np.bool_] | bool,
        truncated: NDArray[np.bool_] | bool = False,
    ) -> None:
        """Keep the reward; it acts in the next window, together with its observation.

        Raises
        ------
        AgentError
            When the reward has another shape or is not finite.
        """
        self._reward = checked_rewards(reward, self.animals)
        is_over, is_cut = per_animal(terminated, self.animals), per_animal(truncated, self.animals)
        self._has_reward = self._course.in_episode.copy()
        self._ended = is_over & self._has_reward
        self._course.end(is_over | is_cut)

    def begin_episode(self, which: NDArray[np.bool_]) -> None:
        """Count the episode; weights and membranes go on."""
        self._course.begin(which)
        self._window[which] = 0
        self._has_reward[which] = self._ended[which] = False
        self._feedback[which] = 0.0

    # -- state --------------------------------------------------------------------------------------

    def _own_state(self) -> State:
        arrays = {name: getattr(self, f"_{name}").copy() for name in self.kept}
        arrays["actor_rate_hz"] = self._actor_rate.rate_hz.copy()
        return arrays | join_states({"course": self._course.state()})

    def _set_own_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._course.set_state(state_of("course", state))
        self._actor_rate.rate_hz = np.array(state["actor_rate_hz"])
        for name in self.kept:
            setattr(self, f"_{name}", np.array(state[name]))
