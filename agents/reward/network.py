"""The network of spiking agents that learn from a reward: a code, an actor, and for some a critic.

All neurons are leaky integrators in which an arriving spike lets the potential jump (`iaf_psc_delta`),
so that a weight may change its sign while it learns. Each channel of the code drives neurons that fire
regularly, at a rate proportional to its activity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.codes import Encoder, default_encoder
from ethospike.agents.reward.episodes import check_numbers
from ethospike.brains.network import AllToAll, CurrentInput, Network, Population, Projection, Uniform
from ethospike.brains.network.plasticity import PlasticityRule
from ethospike.envs.any_env import GymnasiumGroup
from ethospike.errors import AgentError
from ethospike.shown import Shown

CODE, CRITIC, ACTOR = "code", "critic", "actor"
"""Populations."""
C_M_PF, E_L_MV, V_TH_MV = 250.0, -70.0, -55.0
"""Of NEST's iaf_psc_delta by default, as is V_reset = E_L."""
REFERENCE = 31.0 * 20.0**2
"""Sum of the squared traces for which learning rates are stated, see `rate_share`."""
SMALLEST_ACTIVITY = 1e-3
"""Lower end of a divisor; a code that is silent in the middle of all ranges gets weights without meaning."""


@dataclass(frozen=True)
class NeuronsConfig(Shown):
    """Sizes, rates and membranes.

    Raises
    ------
    AgentError
        When a number is out of range.
    """

    code: str = "fourier"
    """Code of continuous numbers, a name of `agents.codes.ENCODERS`; categories are one-hot."""
    order: int = 2
    """Highest frequency of the code `fourier`, in half waves over the range of an entry."""
    together: int = 4
    """Entries on which a channel of the code `fourier` may depend. With 4 entries that makes the 80 functions
    of Chung and Kozma 2020; pairs alone learned CartPole half as fast."""
    cells: int = 1
    """Neurons of each channel of the code."""
    code_hz: float = 60.0
    """Rate of a neuron of the code at activity 1 (Hz)."""
    critic: int = 40
    """Neurons of the critic."""
    actor: int = 20
    """Neurons of each group of the actor; a group stands for a value of the action."""
    tau_m_ms: float = 100.0
    """Membrane time constant of critic and actor. Chung and Kozma 2020: 100 ms."""
    tau_code_ms: float = 20.0
    """Membrane time constant of the code. Chosen: a control step of CartPole, after which a change of the
    current is in the rate."""
    drive_mv_per_ms: float = 0.35
    """Mean input of a neuron of critic and actor before learning, in the middle of all ranges."""

    def __post_init__(self) -> None:
        for name in ("cells", "critic", "actor"):
            if getattr(self, name) < 1:
                raise AgentError(f"NeuronsConfig.{name}: expected at least 1, got {getattr(self, name)}")
        check_numbers(self, ("code_hz", "tau_m_ms", "tau_code_ms", "drive_mv_per_ms"))

    def encoder(self, env: GymnasiumGroup) -> Encoder:
        """Return the code of an environment's observations.

        Raises
        ------
        AgentError
            When the name is unknown, or the code does not fit.
        """
        options = {"order": self.order, "together": self.together} if self.code == "fourier" else {}
        return default_encoder(env.entries, self.code, **options)

    def current_pa(self, activity: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the current at which a neuron of the code fires at activity × code_hz.

        From the solution of its membrane equation without a refractory period: if I∞ is the current
        that just lifts the potential to the threshold, a neuron that fires with rate r gets
        I = I∞ / (1 − exp(−1 / (r τ))).
        """
        rheobase_pa = C_M_PF * (V_TH_MV - E_L_MV) / self.tau_code_ms
        interval = np.divide(
            1000.0 / (self.code_hz * self.tau_code_ms),
            activity,
            out=np.full(np.shape(activity), np.inf),
            where=activity > 0,
        )
        return np.where(activity > 0, rheobase_pa / -np.expm1(-interval), 0.0)


def learning_network(
    encoder: Encoder,
    n_groups: int,
    config: NeuronsConfig,
    actor_rule: PlasticityRule,
    critic_rule: PlasticityRule | None = None,
) -> Network:
    """Return the network: the code, connected to all neurons of actor and critic by plastic synapses.

    Parameters
    ----------
    encoder : Encoder
    n_groups : int
        Groups of the actor.
    config : NeuronsConfig
    actor_rule : PlasticityRule
    critic_rule : PlasticityRule, optional
        No critic without it.
    """
    weights = Uniform(
        0.0, 2.0 * config.drive_mv_per_ms / max(spikes_per_ms(encoder, config), SMALLEST_ACTIVITY)
    )
    start: dict[str, Any] = {
        "V_m": Uniform(E_L_MV, V_TH_MV),
        "t_ref": 0.0,
    }  # neurons of equal input fire in turn
    follower = {**start, "tau_m": config.tau_m_ms}
    populations = [
        Population(
            CODE, encoder.n_channels * config.cells, "iaf_psc_delta", {**start, "tau_m": config.tau_code_ms}
        ),
        Population(ACTOR, n_groups * config.actor, "iaf_psc_delta", follower, clusters=n_groups),
    ]
    rules = {ACTOR: actor_rule}
    if critic_rule is not None:
        populations.append(Population(CRITIC, config.critic, "iaf_psc_delta", follower))
        rules[CRITIC] = critic_rule
    return Network(
        populations=tuple(populations),
        projections=tuple(
            Projection(f"{CODE}>{target}", CODE, target, AllToAll(), weights, delay_ms=1.0, plasticity=rule)
            for target, rule in rules.items()
        ),
        current_inputs=(CurrentInput(CODE, CODE, channels=encoder.n_channels),),
    )


def middle(encoder: Encoder) -> NDArray[np.float64]:
    """Return the activities of a code while all entries are in the middle of their ranges."""
    values = np.array([[(entry.low + entry.high) / 2.0 for entry in encoder.entries]])
    is_category = [entry.categories > 0 for entry in encoder.entries]
    activity: NDArray[np.float64] = encoder.encode(np.where(is_category, np.rint(values), values))[0]
    return activity


def spikes_per_ms(encoder: Encoder, config: NeuronsConfig) -> float:
    """Return the spikes of the code in a millisecond while all entries are in the middle of their ranges."""
    return float(middle(encoder).sum()) * config.cells * config.code_hz / 1000.0


def rate_share(encoder: Encoder, config: NeuronsConfig, tau_source_ms: float) -> float:
    """Return the factor that makes a learning rate independent of the code.

    A change of all weights in proportion to the traces of their sources changes the input in proportion to
    the sum of the squared traces. The factor is that sum for the code of Chung and Kozma 2020 (31 for their
    81 functions in the middle of all ranges, at a spike each ms and 20 ms), divided by the sum of this code.
    """
    trace = middle(encoder) * config.code_hz / 1000.0 * tau_source_ms
    return REFERENCE / max(float((trace**2).sum()) * config.cells, SMALLEST_ACTIVITY)
