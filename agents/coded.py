"""A spiking agent without learning: a code of the observation, random weights, and a read-out of the spikes.

It shows that codes, network and read-out fit an environment, and is the body of agents that learn: these
replace the projection `code>motor`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import BrainAgent, Decision
from ethospike.agents.codes import Encoder, default_encoder, default_readout
from ethospike.agents.codes.readouts import ActionReadout
from ethospike.brains.network import AllToAll, CurrentInput, Network, Population, Projection, Uniform
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.clock import whole_number
from ethospike.configuration import configured
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.errors import AgentError
from ethospike.randomness import Role, pack_generators, random_stream, unpack_generators
from ethospike.shown import Shown
from ethospike.states import State
from ethospike.variables import Panel, variable

TAU_SYN_MS, TAU_M_MS, T_REF_MS, RHEOBASE_PA = 2.0, 10.0, 2.0, 375.0
"""Of NEST's iaf_psc_exp with its default parameters; the rheobase is C_m (V_th − E_L) / tau_m."""
SMALLEST_INPUT = 1e-3
"""Lower end of a divisor; a code that is silent in the middle of all ranges gets weights without meaning."""


@dataclass(frozen=True)
class CodedConfig(Shown):
    """Codes, sizes and currents.

    Raises
    ------
    AgentError
        When a number is out of range.
    """

    code: str = "gaussian"
    """Code of continuous numbers, a name of `agents.codes.ENCODERS`; categories are one-hot."""
    discrete: str = "softmax"
    """Read-out of categories, a name of `agents.codes.READOUTS`."""
    continuous: str = "opponent-pairs"
    """Read-out of continuous actions, a name of `agents.codes.READOUTS`."""
    motor_neurons: int = 10
    """Neurons of each group of the motor population. Chosen: the mean of ten spike counts varies a third
    as much as a single count."""
    code_pa: float = 800.0
    """Current into a neuron of the code at activity 1 (pA). Chosen: about twice the 375 pA at which the
    neuron begins to fire, some 100 Hz."""
    motor_pa: float = 500.0
    """Mean current into a motor neuron while all entries are in the middle of their ranges (pA). Chosen:
    above the 375 pA at which the neuron begins to fire, so that its weights change its rate."""

    def __post_init__(self) -> None:
        if self.motor_neurons < 1:
            raise AgentError(f"CodedConfig.motor_neurons: expected at least 1, got {self.motor_neurons}")
        for name in ("code_pa", "motor_pa"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise AgentError(f"CodedConfig.{name}: expected above 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class Codes:
    """The code of an observation and the read-out of an action."""

    encoder: Encoder
    readout: ActionReadout
    names: tuple[str, ...] = field(default=())
    """Names of the action's entries."""

    def spikes_per_s(self, code_pa: float) -> float:
        """Return the spikes a second of the code while all entries are in the middle of their ranges."""
        middle = np.array([[(entry.low + entry.high) / 2.0 for entry in self.encoder.entries]])
        return sum(firing_rate_hz(code_pa * activity) for activity in self.encoder.encode(middle)[0])

    @classmethod
    def of(cls, env: GymnasiumGroup, config: CodedConfig) -> Codes:
        """Return the codes that fit the spaces of an environment."""
        readout = default_readout(env.action_entries, config.discrete, config.continuous)
        return cls(
            default_encoder(env.entries, config.code),
            readout,
            tuple(entry.name for entry in env.action_entries),
        )


def firing_rate_hz(current_pa: float) -> float:
    """Return the rate of an iaf_psc_exp neuron at a constant current.

    1 / (t_ref + tau_m ln(I / (I − I_rheobase))), from the solution of its membrane equation.
    """
    if current_pa <= RHEOBASE_PA:
        return 0.0
    interval_ms = T_REF_MS + TAU_M_MS * math.log(current_pa / (current_pa - RHEOBASE_PA))
    return 1000.0 / interval_ms


def coded_network(codes: Codes, config: CodedConfig) -> Network:
    """Return a neuron for each channel of the code, all connected to all groups of motor neurons."""
    n_groups = codes.readout.n_groups
    # The mean of a uniform weight is half its upper end; a spike brings weight times time constant of charge.
    time_constants_per_s = codes.spikes_per_s(config.code_pa) * TAU_SYN_MS / 1000.0
    weights = Uniform(0.0, 2.0 * config.motor_pa / max(time_constants_per_s, SMALLEST_INPUT))
    return Network(
        populations=(
            Population("code", codes.encoder.n_channels, "iaf_psc_exp"),
            Population("motor", n_groups * config.motor_neurons, "iaf_psc_exp", clusters=n_groups),
        ),
        projections=(Projection("code>motor", "code", "motor", AllToAll(), weights, delay_ms=1.0),),
        current_inputs=(CurrentInput("code", "code", channels=codes.encoder.n_channels),),
    )


class CodedAgent(BrainAgent):
    """An agent with a code, a layer of motor neurons with fixed random weights, and a read-out.

    Parameters
    ----------
    env : GymnasiumGroup
        The environment that it is made for.
    config : CodedConfig, optional
    simulator : SimulatorSettings, optional
    network : Network, optional
        A network of your own: a current channel for each channel of the code, and a population `motor` with
        `motor_neurons` neurons for each group of the read-out, one group after the other.
    seed : int
        Of weights and draws of the read-out, keyed by animal.
    dt_ms : float

    Raises
    ------
    AgentError
        When a code does not fit the environment, or the control interval is not a whole number of steps.
    """

    def __init__(
        self,
        env: GymnasiumGroup,
        config: CodedConfig | Mapping[str, Any] | None = None,
        simulator: SimulatorSettings | None = None,
        *,
        network: Network | None = None,
        seed: int,
        dt_ms: float = 0.1,
    ) -> None:
        if not isinstance(env, GymnasiumGroup):
            raise AgentError(
                f"CodedAgent: expected a GymnasiumGroup, got {type(env).__name__}; make one of an id or a "
                f"factory, such as GymnasiumGroup('CartPole-v1', 3)"
            )
        super().__init__(env.num_envs, env.control_interval_ms)
        self.config = config = configured(CodedConfig, config, AgentError)
        n_steps = whole_number(env.control_interval_ms, dt_ms)
        if n_steps is None:
            raise AgentError(
                f"control_interval_ms: expected a whole number of steps of {dt_ms:g} ms, got "
                f"{env.control_interval_ms:g}"
            )
        self._n_steps = n_steps
        self.codes = Codes.of(env, config)
        self.network = network or coded_network(self.codes, config)
        self._check_network(self.network)
        self._first_motor = self.network.offset("motor")
        self._generators = [random_stream(seed, animal, Role.READOUT) for animal in range(self.animals)]
        self.variables = {
            "motor_rate_hz": variable(
                "mean rate of each group of motor neurons in the window",
                "Hz",
                "float32",
                panel=Panel("motor rates (Hz)", key="f"),
                cluster=self.codes.readout.n_groups,
            )
        }
        self.simulator = open_simulator(self.network, simulator, seed=seed, animals=self.animals, dt_ms=dt_ms)
        self.backend = self.simulator.backend

    def _check_network(self, network: Network) -> None:
        """Check that a network has the channels of the code and the groups of the read-out."""
        groups = self.codes.readout.n_groups
        sizes = {population.name: population.size for population in network.populations}
        expected = {"motor": groups * self.config.motor_neurons}
        channels, needed = network.n_current_channels, self.codes.encoder.n_channels
        if channels != needed or not expected.items() <= sizes.items():
            raise AgentError(
                f"network: expected {needed} current channels and a population "
                f"'motor' of {expected['motor']} neurons, got {channels} channels and {sizes}"
            )

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        activity = self.codes.encoder.encode(observation[:, :-1]) * observation[:, -1:]
        stimulus = Stimulus.currents(self.config.code_pa * activity)
        spikes = self.simulator.run(self._n_steps, stimulus)
        counts = self._counts(spikes)
        action = self.codes.readout.decode(counts, self._generators)
        rate_hz = counts * (1000.0 / self.control_interval_ms)
        return Decision(action, stimulus, spikes, {"motor_rate_hz": rate_hz.astype(np.float32)})

    def _counts(self, spikes: SpikeBlock) -> NDArray[np.float64]:
        """Return spikes a neuron of each motor group, shape (animals, groups)."""
        shape = (self.animals, self.codes.readout.n_groups)
        is_motor = spikes.neuron >= self._first_motor
        group = (spikes.neuron[is_motor] - self._first_motor) // self.config.motor_neurons
        flat = spikes.animal[is_motor] * shape[1] + group
        return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape) / self.config.motor_neurons

    def _own_state(self) -> State:
        return {"generator": pack_generators(self._generators, self.animals)}

    def _set_own_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._generators = unpack_generators(state["generator"])
