"""The configuration that the odor scenarios share: odors, test, larvae."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from ethospike.agents.larva import LarvaConfig
from ethospike.brains.circuits.connectome.larva import LarvaBrainConfig
from ethospike.brains.circuits.connectome.measured import CIRCUITS, DRAWN
from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig
from ethospike.clock import whole_number
from ethospike.envs.odor_arena import ODOR_DISTANCE_MM, OdorSource, Phase
from ethospike.errors import ScenarioError
from ethospike.paths import user_path
from ethospike.recorders.subject import Subject
from ethospike.scenarios.scenario import ScenarioConfig, require_known

FieldOfTest = Literal["gradient", "uniform"]
PathOf = Literal["middle", "head"]
EVERYWHERE_MM = 1e6
"""Width of an odor that is equally strong in the whole dish: far beyond its radius."""


@dataclass(frozen=True, kw_only=True)
class DishConfig(ScenarioConfig):
    """Odors, test, larvae."""

    odor_a: str = "n-amylacetate"
    """The odor for which the preference is measured; a key of `ODOR_PATTERNS`."""
    odor_b: str = ""
    """Another odor, at the other side in the test; empty for a test with odor A alone."""
    test_s: float = 240.0
    """Length of the test (s)."""
    test_field: FieldOfTest = "gradient"
    """Place of the odor: at one side, or everywhere with concentration 1 (as in the published model, which
    has no body); in the latter case the test has odor A alone."""
    odor_width_mm: float = 40.0
    """Standard deviation of the concentration in the test (mm). larvaworld has 14 mm (2023) and 100 mm (now);
    in between, larvae smell the odor where they start and still find a gradient. Chosen here."""
    path_of: PathOf = "middle"
    """The part of the body with paths in the figures. Measures are always of the middle."""
    larva: LarvaConfig = field(default_factory=LarvaConfig)
    """Senses, read-out and locomotion."""
    brain: MushroomBodyConfig = field(default_factory=MushroomBodyConfig)
    """The mushroom body."""
    circuit: str = DRAWN
    """The wiring: drawn (published), or measured: winding-left, winding-right, winding-both, winding-brain,
    eichler-left, eichler-right (docs/connectomes.md)."""
    connectome: str = ""
    """Folder with the files of measured wiring; empty for the one in ETHOSPIKE_CONNECTOMES."""
    measured: LarvaBrainConfig = field(default_factory=LarvaBrainConfig)
    """Choices for measured wiring: weights of other synapses, threshold, seed of unknown signs."""
    subject: Subject = field(default_factory=lambda: Subject("Drosophila melanogaster", age="P5D"))
    """A larva of the third instar, as in the learning experiments, five days after the egg was laid."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.connectome:  # a task of a sweep, or a resumed run, may work in another folder
            object.__setattr__(self, "connectome", str(user_path(self.connectome)))
        require_known("test_field", self.test_field, get_args(FieldOfTest))
        require_known("path_of", self.path_of, get_args(PathOf))
        require_known("circuit", self.circuit, CIRCUITS)
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
        """Refuse lengths (s) that are negative or not a whole number of control intervals.

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
        """Return a time (s) accepted by `require_times` in control steps."""
        return round(seconds * 1000.0 / self.control_interval_ms)

    def in_seconds(self, steps: int) -> float:
        """Return the time (s) of a number of control steps."""
        return steps * self.control_interval_ms / 1000.0

    @property
    def trained_with(self) -> str:
        """The kind of reinforcement that the protocol uses; naive larvae are compared with rewarded ones."""
        return "reward"

    @property
    def odors(self) -> tuple[str, ...]:
        """The odors of the experiment, A first."""
        return (self.odor_a, self.odor_b) if self.odor_b else (self.odor_a,)


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
    """Return the test: larvae are put back to the middle, the odors are present, and the agar is plain."""
    return Phase("test", config.test_s, sources=sources_of_test(config), replace_animals=True)
