"""The configuration of the scenario `reward-learning`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal, get_args

from ethospike.agents.coded import CodedConfig
from ethospike.agents.larva import LarvaConfig
from ethospike.agents.reward.actor_critic import ActorCriticConfig
from ethospike.agents.reward.reward_stdp import RewardStdpConfig
from ethospike.agents.reward.td import TDConfig
from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig
from ethospike.clock import whole_number
from ethospike.envs.any_env import EnvSource, EpisodeConfig
from ethospike.errors import ScenarioError
from ethospike.scenarios.reward.ranges import KNOWN_RANGES
from ethospike.scenarios.scenario import ScenarioConfig, require_known, steps_of_run

AgentName = Literal["actor-critic", "coded", "larva", "random", "reward-stdp", "td"]
LONGEST_STEP_OF_LARVA_MS = 0.1
"""The mushroom body's delays are so short."""


@dataclass(frozen=True, kw_only=True)
class RewardConfig(ScenarioConfig):
    """The environment, the agent, and the length of the run."""

    control_interval_ms: float = 20.0
    """Simulated time of one step of the environment (ms); CartPole's own is 20 ms, the odor arena's 100."""
    env: str = "CartPole-v1"
    """Id of the environment, as `gymnasium.make` takes it, with the package to import and a colon before."""
    make: tuple[str, ...] = ()
    """Keywords of `gymnasium.make` as name=value with a value of JSON, such as is_slippery=false."""
    agent: AgentName = "coded"
    """`actor-critic` and `reward-stdp` are spiking agents that learn, `coded` has fixed random weights, and
    `larva` learns in `ethospike/OdorArena-v0` from its reward alone; `td` is an actor–critic without neurons
    on the same codes, and `random` ignores the observation."""
    dt_ms: float = 1.0
    """Length of a simulation step (ms). The time constants of these agents are 10 ms and more; `larva` needs
    0.1 ms."""
    episodes: int = 20
    """Episodes of each animal, in which agents learn; 0 if `minutes` alone ends the run."""
    evaluation_episodes: int = 0
    """Episodes after these in which learning is off: as many with drawn actions, then as many with the most
    probable ones, in copies of the environment and with random streams of their own."""
    minutes: float | None = None
    """Length of the run (simulated min), to end it before the last episode."""
    blank_ms: float = 100.0
    """Time between the final observation of an episode and the next episode (ms)."""
    image_grid: tuple[int, int] = (12, 12)
    """Rows and columns of gray values into which an image is averaged."""
    ranges: tuple[str, ...] = ()
    """Ranges of observation entries as name=low:high, for codes; by default those of the space, of a known
    task (`KNOWN_RANGES`), or learned from random steps."""
    warm_up_steps: int = 1000
    """Random steps from which these ranges are learned."""
    coded: CodedConfig = field(default_factory=CodedConfig)
    """The spiking agent without learning."""
    td: TDConfig = field(default_factory=TDConfig)
    """The actor–critic without neurons."""
    actor_critic: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    """The spiking actor–critic."""
    reward_stdp: RewardStdpConfig = field(default_factory=RewardStdpConfig)
    """The spiking agent with reward-modulated STDP."""
    larva: LarvaConfig = field(default_factory=LarvaConfig)
    """Senses, read-out and locomotion of `larva`; its `patterns` belong to the odors in their order."""
    brain: MushroomBodyConfig = field(default_factory=MushroomBodyConfig)
    """The mushroom body of `larva`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "make", tuple(self.make))
        object.__setattr__(self, "ranges", tuple(self.ranges))
        object.__setattr__(self, "image_grid", tuple(self.image_grid))
        require_known("agent", self.agent, get_args(AgentName))
        if self.agent == "larva" and self.dt_ms > LONGEST_STEP_OF_LARVA_MS:
            raise ScenarioError(
                f"dt_ms: the larva's synapses have delays of {LONGEST_STEP_OF_LARVA_MS} ms, got steps of "
                f"{self.dt_ms:g} ms; give --dt-ms {LONGEST_STEP_OF_LARVA_MS}, or --preset odor-foraging"
            )
        if self.evaluation_episodes < 0:
            raise ScenarioError(f"evaluation_episodes: expected at least 0, got {self.evaluation_episodes}")
        if self.episodes < 0 or (self.episodes == 0 and self.minutes is None):
            raise ScenarioError(f"episodes: expected at least 1, or minutes above 0; got {self.episodes}")
        _ = self.source(), self.episode_config()

    def source(self) -> EnvSource:
        """Return the way to make copies of the environment.

        Raises
        ------
        ScenarioError
            When a keyword is not of the form name=value.
        """
        keywords = {}
        for pair in self.make:
            name, separator, value = pair.partition("=")
            if not (name.isidentifier() and separator):
                raise ScenarioError(f"make: expected name=value, got {pair!r}")
            try:
                keywords[name] = json.loads(value)
            except json.JSONDecodeError:
                keywords[name] = value
        return EnvSource(self.env, keywords)

    def episode_config(self) -> EpisodeConfig:
        """Return times and ranges of the episodes.

        Raises
        ------
        ScenarioError
            When a time is not a whole number of control steps, or a range has another form.
        """
        blank_steps = whole_number(self.blank_ms, self.control_interval_ms, least=0)
        if blank_steps is None:
            raise ScenarioError(
                f"blank_ms: expected a whole number of control steps of {self.control_interval_ms:g} ms, got "
                f"{self.blank_ms:g}"
            )
        n_steps = 0
        if self.minutes is not None:
            n_steps = steps_of_run("minutes", self.minutes, 60.0, self.control_interval_ms)
        return EpisodeConfig(
            control_interval_ms=self.control_interval_ms,
            episodes=self.episodes,
            evaluation_episodes=self.evaluation_episodes,
            n_control_steps=n_steps,
            blank_steps=blank_steps,
            image_grid=(self.image_grid[0], self.image_grid[1]),
            ranges={**KNOWN_RANGES.get(self.env, {}), **dict(map(_range, self.ranges))},
            warm_up_steps=self.warm_up_steps,
        )


def _range(words: str) -> tuple[str, tuple[float, float]]:
    name, _, ends = words.rpartition("=")
    low, _, high = ends.partition(":")
    try:
        return name, (float(low), float(high))
    except ValueError:
        raise ScenarioError(f"ranges: expected name=low:high, got {words!r}") from None
