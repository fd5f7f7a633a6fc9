"""Larvae in a dish: what the odor scenarios share — odors, sides, body and brain.

In: a `DishConfig` and a timetable. Out: the environment and the agent. This file knows no protocol.
"""

from __future__ import annotations

import dataclasses
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from ethospike.agents.larva import LarvaAgent, LarvaConfig
from ethospike.agents.larva.locomotion import PRESETS as LOCOMOTION_PRESETS
from ethospike.brains.circuits.mushroom_body import PRESETS, MushroomBodyConfig
from ethospike.clock import whole_number
from ethospike.envs.odor_arena import ODOR_DISTANCE_MM, ArenaConfig, OdorSource, Phase
from ethospike.errors import ScenarioError
from ethospike.recorders.subject import Subject
from ethospike.scenarios.run.folder import write_whole
from ethospike.scenarios.scenario import ScenarioConfig, require_known

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

FieldOfTest = Literal["gradient", "uniform"]
PathOf = Literal["middle", "head"]
EVERYWHERE_MM = 1e6
"""Width of an odor that is equally strong in the whole dish: far beyond its radius."""
MEMORY = "memory.npz"
"""File in the run folder with the weights at the end of a run."""


@dataclass(frozen=True, kw_only=True)
class DishConfig(ScenarioConfig):
    """Odors, test, larvae."""

    subject: Subject = field(default_factory=lambda: Subject("Drosophila melanogaster", age="P5D"))
    """A larva of the third instar, as in the learning experiments, five days after the egg was laid."""
    odor_a: str = "n-amylacetate"
    """The odor whose preference is measured; a key of `ODOR_PATTERNS`."""
    odor_b: str = ""
    """Another odor, at the other side in the test; empty for none."""
    test_s: float = 240.0
    """Length of the test (s)."""
    test_field: FieldOfTest = "gradient"
    """Odor at one side, or everywhere with concentration 1 (as the published model, which has no body); then
    odor A alone."""
    odor_width_mm: float = 40.0
    """Standard deviation of the concentration in the test (mm). larvaworld has 14 mm (2023) and 100 mm (now);
    in between, larvae smell the odor where they start and still find a gradient. Chosen here."""
    path_of: PathOf = "middle"
    """The part of the body whose paths the figures show. Measures are always of the middle."""
    larva: LarvaConfig = field(default_factory=LarvaConfig)
    """Senses, read-out and locomotion."""
    brain: MushroomBodyConfig = field(default_factory=MushroomBodyConfig)
    """The mushroom body."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_known("test_field", self.test_field, get_args(FieldOfTest))
        require_known("path_of", self.path_of, get_args(PathOf))
        self.require_times("test_s")
        if self.odor_a == self.odor_b:
            raise ScenarioError(f"odor_b: expected another odor than odor_a, got {self.odor_b!r} twice")
        if not 0 < self.odor_width_mm < math.inf:
            raise ScenarioError(f"odor_width_mm: expected above 0, and finite, got {self.odor_width_mm}")
        if self.odor_b and self.test_field == "uniform" and self.test_s:
            raise ScenarioError(
                f"odor_b: a test with test_field 'uniform' has odor A alone, got odor_b {self.odor_b!r}; "
                f"expected test_field 'gradient', or no odor_b"
            )

    def require_times(self, *names: str) -> None:
        """Refuse lengths (s) that are negative or no whole number of control intervals.

        Raises
        ------
        ScenarioError
        """
        for name in names:
            seconds = getattr(self, name)
            if not 0 <= seconds < math.inf:
                raise ScenarioError(f"{name}: expected at least 0 s, and finite, got {seconds}")
            if whole_number(seconds * 1000.0, self.control_interval_ms, least=0) is None:
                raise ScenarioError(
                    f"{name}: expected a whole number of control intervals of "
                    f"{self.control_interval_ms:g} ms, got {seconds:g} s"
                )

    def in_steps(self, seconds: float) -> int:
        """Return a time (s) that `require_times` lets pass as control steps."""
        return round(seconds * 1000.0 / self.control_interval_ms)

    def in_seconds(self, steps: int) -> float:
        """Return the time (s) of so many control steps."""
        return steps * self.control_interval_ms / 1000.0

    @property
    def odors(self) -> tuple[str, ...]:
        """The odors of the experiment, A first."""
        return (self.odor_a, self.odor_b) if self.odor_b else (self.odor_a,)


BRAIN_PRESETS: dict[str, dict[str, Any]] = {
    **{name: {"brain": dataclasses.asdict(config)} for name, config in PRESETS.items()},
    **{name: {"larva": {"locomotion": dataclasses.asdict(c)}} for name, c in LOCOMOTION_PRESETS.items()},
}
"""Presets of the odor scenarios: those of the mushroom body, and those of locomotion."""


def everywhere(odor: str) -> OdorSource:
    """Return an odor with concentration 1 in the whole dish."""
    return OdorSource(odor, (0.0, 0.0), sigma_mm=EVERYWHERE_MM)


def sources_of_test(config: DishConfig) -> tuple[OdorSource, ...]:
    """Return the odors of the test: A at the left, B at the right; odd animals have them mirrored."""
    if config.test_field == "uniform":
        return (everywhere(config.odor_a),)
    sides = zip(config.odors, (-ODOR_DISTANCE_MM, ODOR_DISTANCE_MM), strict=False)
    return tuple(OdorSource(name, (x, 0.0), sigma_mm=config.odor_width_mm) for name, x in sides)


def phase_of_test(config: DishConfig) -> Phase:
    """Return the test: larvae are put back to the middle, the odors are there, nothing is on the agar."""
    return Phase("test", config.test_s, sources=sources_of_test(config), replace_animals=True)


def open_dish(
    config: DishConfig, phases: tuple[Phase, ...], memory: Path | None = None
) -> tuple[VectorEnv, LarvaAgent]:
    """Make the dish with its timetable, and the larvae, with a memory if one is given."""
    arena = ArenaConfig(phases, config.odors, mirror_odd_animals=True)
    env = gymnasium.make_vec(
        "ethospike.envs:ethospike/OdorArena-v0",
        num_envs=config.animals,
        vectorization_mode="vector_entry_point",
        config=arena,
        control_interval_ms=config.control_interval_ms,
    )
    agent = LarvaAgent(
        config.larva,
        config.brain,
        config.odors,
        animals=config.animals,
        control_interval_ms=config.control_interval_ms,
        seed=config.seed,
        simulator=config.simulator,
        dt_ms=config.dt_ms,
    )
    if memory is not None:
        try:
            agent.load_memory(memory)
        except BaseException:
            agent.close()
            raise
    return env, agent


def keep_memory(agent: Any, folder: Path) -> None:
    """Save the weights at the end of a run in its folder, as a file that is replaced whole.

    Raises
    ------
    RunFolderError
        When it cannot be written.
    """
    whole = io.BytesIO()
    np.savez(whole, **agent.memory())
    write_whole(folder / MEMORY, whole.getbuffer())


def draw_figures(recording: Recording, config: DishConfig, folder: Path) -> list[Path]:
    """Draw what a run in the dish shows; Matplotlib is loaded only now, because it takes its time."""
    from ethospike.scenarios.odor import figures as dish_figures

    return dish_figures.draw_all(recording, config, folder)
