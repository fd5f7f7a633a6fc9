"""Odor conditioning: larvae learn that an odor comes with a reward (or a punishment), and are tested.

A group of larvae crawls in a dish. In each training cycle one part has odor A, the other part odor B or no
odor; reinforcement is on the agar in one of the parts, or in neither, as `group` says. After a gap without
odor, the test has odor A at one side of the dish (and odor B, if there is one, at the other), the side
counterbalanced between animals. Larval laboratories train in this reciprocal way (Gerber, Biernacki and
Thum 2013, Cold Spring Harb Protoc, doi 10.1101/pdb.prot071639).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from gymnasium.vector import VectorEnv

from ethospike.agents.larva import LarvaAgent
from ethospike.brains.network import Network
from ethospike.envs.odor_arena import Phase
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.errors import ScenarioError
from ethospike.scenarios.odor import dish
from ethospike.scenarios.odor import measures as dish_measures
from ethospike.scenarios.odor.config import DishConfig, everywhere, phase_of_test
from ethospike.scenarios.scenario import Scenario, require_known, unchanged

Group = Literal["paired-a", "paired-b", "unpaired", "odor-only"]
Kind = Literal["reward", "punishment"]


@dataclass(frozen=True, kw_only=True)
class ConditioningConfig(DishConfig):
    """The protocol; the default lasts 30 minutes: 5 × (2.5 + 2.5), 1, 4."""

    group: Group = "paired-a"
    """Part with the reinforcement: the part with odor A; the other part (with odor B, if it is used); the
    other part, always without odor; no part."""
    reinforcement: Kind = "reward"
    """Reinforcement on the agar."""
    cycles: int = 5
    """Training cycles."""
    odor_s: float = 150.0
    """Length of the part with odor A (s)."""
    blank_s: float = 150.0
    """Length of the other part (s); 0 leaves it out."""
    blank_first: bool = False
    """Order of a cycle: true puts the other part before the part with odor A."""
    transfer_s: float = 0.0
    """Break without odor or reinforcement after each part of a cycle (s), while larvae are moved to the next
    dish. Without it, reinforcement of the other part begins when odor A has just ended: synapses are eligible
    for some 5 s more, and the reciprocal group learns a little of A too. 30 s are six time constants."""
    onset_s: float | None = None
    """Onset of the reinforcement within a cycle (s), for trace conditioning; None is the onset of the part to
    which `group` assigns it."""
    reinforcement_s: float | None = None
    """Length of the reinforcement (s); None is the length of its part."""
    gap_s: float = 60.0
    """Time without odor between training and test (s)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_known("group", self.group, get_args(Group))
        require_known("reinforcement", self.reinforcement, get_args(Kind))
        given = (name for name in ("onset_s", "reinforcement_s") if getattr(self, name) is not None)
        self.require_times("odor_s", "blank_s", "transfer_s", "gap_s", *given)
        if self.cycles < 0:
            raise ScenarioError(f"cycles: expected at least 0, got {self.cycles}")
        if self.reinforced_steps is not None:
            self._require_reinforced_part()
            begin, end = self.reinforced_steps
            if end > self.cycle_steps:
                begin_s, end_s = self.in_seconds(begin), self.in_seconds(end)
                raise ScenarioError(
                    f"onset_s, reinforcement_s: {begin_s:g} … {end_s:g} s is not within a cycle of "
                    f"{self.cycle_s:g} s"
                )
            if self.cycles and begin == end:
                raise ScenarioError(
                    f"reinforcement_s: expected above 0 s for group {self.group!r}, got 0 s "
                    f"(group 'odor-only' has no reinforcement)"
                )

    @property
    def trained_with(self) -> str:
        """The kind of reinforcement."""
        return self.reinforcement

    def _require_reinforced_part(self) -> None:
        """Refuse a group with reinforcement in a part of length 0 s."""
        begin, end = self._reinforced_part
        if self.cycles and not end > begin:
            length = "odor_s" if self.group == "paired-a" else "blank_s"
            raise ScenarioError(
                f"group: {self.group!r} has its reinforcement in the part of {length}, which is 0 s long; "
                f"expected above 0 s (or group 'odor-only', which has none)"
            )

    # Times within a cycle are control steps: sums of decimal seconds have rounding errors.

    @property
    def cycle_steps(self) -> int:
        """Length of a training cycle (control steps)."""
        transfers = 2 * self.in_steps(self.transfer_s)
        return self.in_steps(self.odor_s) + self.in_steps(self.blank_s) + transfers

    @property
    def cycle_s(self) -> float:
        """Length of a training cycle (s)."""
        return self.in_seconds(self.cycle_steps)

    @property
    def odor_steps(self) -> tuple[int, int]:
        """Begin and end of odor A within a cycle (control steps)."""
        begin = self.in_steps(self.blank_s) + self.in_steps(self.transfer_s) if self.blank_first else 0
        return begin, begin + self.in_steps(self.odor_s)

    @property
    def other_steps(self) -> tuple[int, int]:
        """Begin and end of the other part within a cycle (control steps)."""
        begin = 0 if self.blank_first else self.in_steps(self.odor_s) + self.in_steps(self.transfer_s)
        return begin, begin + self.in_steps(self.blank_s)

    @property
    def reinforced_steps(self) -> tuple[int, int] | None:
        """Begin and end of the reinforcement within a cycle (control steps); None without reinforcement."""
        if self.group == "odor-only":
            return None
        begin, end = self._reinforced_part
        length = end - begin if self.reinforcement_s is None else self.in_steps(self.reinforcement_s)
        begin = begin if self.onset_s is None else self.in_steps(self.onset_s)
        return begin, begin + length

    @property
    def reinforced_s(self) -> tuple[float, float] | None:
        """Begin and end of the reinforcement within a cycle (s); None without reinforcement."""
        if self.reinforced_steps is None:
            return None
        begin, end = self.reinforced_steps
        return self.in_seconds(begin), self.in_seconds(end)

    @property
    def _reinforced_part(self) -> tuple[int, int]:
        """Begin and end of the part of a cycle (control steps) to which `group` assigns the reinforcement."""
        return self.odor_steps if self.group == "paired-a" else self.other_steps


def timetable(config: ConditioningConfig) -> tuple[Phase, ...]:
    """Return the phases: training cycles, cut where odor or reinforcement change, then gap and test."""
    phases = [phase for cycle in range(1, config.cycles + 1) for phase in training_cycle(config, cycle)]
    if config.gap_s:
        phases.append(Phase("gap", config.gap_s))
    if config.test_s:
        phases.append(phase_of_test(config))
    return tuple(phases)


def training_cycle(config: ConditioningConfig, cycle: int) -> list[Phase]:
    """Return the phases of one training cycle."""
    reinforced = config.reinforced_steps
    second_odor = "" if config.group == "unpaired" else config.odor_b
    parts = ((config.odor_a, *config.odor_steps), (second_odor, *config.other_steps))
    edges = {edge for _, *part in parts for edge in part}
    cuts = sorted({0, config.cycle_steps, *edges, *(reinforced or ())})
    phases = []
    for begin, end in itertools.pairwise(cuts):
        odor = next((name for name, first, last in parts if first <= begin < last), "")
        present = reinforced is not None and reinforced[0] <= begin < reinforced[1]
        name = f"cycle {cycle}: {odor or 'no odor'}" + (f" + {config.reinforcement}" if present else "")
        phases.append(
            Phase(
                name,
                config.in_seconds(end - begin),
                sources=(everywhere(odor),) if odor else (),
                reinforcements=(Reinforcement(config.reinforcement),) if present else (),
            )
        )
    return phases


def open_experiment(
    config: ConditioningConfig, change_network: Callable[[Network], Network] = unchanged
) -> tuple[VectorEnv, LarvaAgent]:
    """Make the dish and the larvae."""
    return dish.open_dish(config, timetable(config), change_network=change_network)


def duration_s(config: ConditioningConfig) -> float:
    """Return the length of the experiment (s)."""
    return config.cycles * config.cycle_s + config.gap_s + config.test_s


SCENARIO = Scenario(
    name="odor-conditioning",
    about="Larvae learn that an odor comes with reward or punishment, and are tested in a dish.",
    config=ConditioningConfig,
    open=open_experiment,
    duration_s=duration_s,
    summarize=dish_measures.measure,
    draw=dish.draw_figures,
    conclude=dish_measures.sentence,
    keep=dish.keep_memory,
    presets=dish.BRAIN_PRESETS,
)
