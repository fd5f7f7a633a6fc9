"""A group of larvae that go through the timetable of an odor arena, each in a dish of its own.

This is all of the arena's physics and rules, on arrays with one entry for each animal; the Gymnasium classes
around it only pass arrays on.

Control step k belongs to the phase that lasts during it. At the end of a phase the last step's reward and
information are still those of that phase; the observation, which the next step will use, is of the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import whole_number
from ethospike.envs.checks import RESET_FIRST, checked_seed, inner_steps
from ethospike.envs.odor_arena.config import WALL_COLUMN, ArenaConfig, Phase, features
from ethospike.envs.odor_arena.larva_body import LarvaBodies, kernels
from ethospike.envs.odor_arena.odor import OdorField
from ethospike.envs.odor_arena.physics import BODY_LENGTH_MM, INNER_STEP_MS
from ethospike.envs.odor_arena.reinforcement import KINDS, ReinforcementField
from ethospike.envs.odor_arena.scene import ArenaScene
from ethospike.errors import EnvError
from ethospike.randomness import Role, pack_generators, random_stream, unpack_generators
from ethospike.states import State, check_state
from ethospike.variables import named

_INFO = (
    "position_mm",
    "centroid_mm",
    "heading_rad",
    "bend_rad",
    "speed_mm_s",
    "angular_velocity_rad_s",
    "phase",
)
"""Entries of `info`, in the order of the last fields of `kernels.Report`."""


class ArenaTask:
    """Larvae in their dishes, and the clock of each.

    Parameters
    ----------
    config : ArenaConfig
    control_interval_ms : float
        A whole multiple of the body's inner step of 10 ms.
    first_animal, animals : int
        Number of the first animal, and size of the group.

    Raises
    ------
    EnvError
        When the control interval does not divide into inner steps, or a phase into control steps.
    """

    def __init__(
        self, config: ArenaConfig, control_interval_ms: float, *, first_animal: int = 0, animals: int = 1
    ) -> None:
        if first_animal < 0 or animals < 1:
            raise EnvError(
                f"first_animal and animals: expected at least 0 and 1, got {first_animal} and {animals}"
            )
        self.config = config
        self.control_interval_ms = float(control_interval_ms)
        self.animals = animals
        self.features = features(config.odors)
        self.actuators = named(("crawling_drive", "turning_drive"), "1")
        self.phases = tuple(phase.name for phase in config.phases)
        self._inner_steps = inner_steps(control_interval_ms, INNER_STEP_MS)
        self._numbers = range(first_animal, first_animal + animals)
        self.scene = ArenaScene(config, self._numbers)
        self._side = self.scene.side
        self._odor_fields = [OdorField(phase.sources, config.odors, self._side) for phase in config.phases]
        self._agar = [ReinforcementField(phase.reinforcements, self._side) for phase in config.phases]
        self._phase_end = np.cumsum([self._control_steps(phase) for phase in config.phases])

        self._bodies = LarvaBodies(animals, config.radius_mm)
        self._generators: list[np.random.Generator] = []
        self._control_step = np.zeros(animals, np.int64)
        self._phase = np.zeros(animals, np.int64)
        self._wall_contact = np.zeros(animals, bool)
        self._terminated = np.zeros(animals, bool)
        self._ready = np.zeros(animals, bool)
        self._senses = np.zeros((len(config.odors) + len(KINDS), animals))
        self._occupied = [0]
        self._may_step = False
        self._until_change = 0
        self._dishes: list[Any] = []
        self._info: dict[str, NDArray[Any]] = {}
        self._observation = np.empty((animals, len(self.features)), np.float32)

    def _control_steps(self, phase: Phase) -> int:
        """Return the number of control steps of a phase."""
        steps = whole_number(phase.duration_s * 1000.0, self.control_interval_ms)
        if steps is None:
            raise EnvError(
                f"Phase.duration_s of {phase.name!r}: expected a whole number of control intervals of "
                f"{self.control_interval_ms:g} ms, got {phase.duration_s:g} s"
            )
        return steps

    # -- what the Gymnasium classes call --------------------------------------------------------------

    @property
    def is_seeded(self) -> bool:
        """True once the animals have their random streams."""
        return bool(self._generators)

    @property
    def control_step(self) -> NDArray[np.int64]:
        """Control steps since each animal's reset, shape (animals,)."""
        return self._control_step

    @property
    def terminated(self) -> NDArray[np.bool_]:
        """Mask of the animals at the end of the timetable, shape (animals,)."""
        return self._terminated

    def seed(self, seed: int, which: NDArray[np.bool_]) -> None:
        """Give the animals of the mask, shape (animals,), their streams; the first time, all of them get one.

        Raises
        ------
        EnvError
            When the seed is not a whole number of at least 0.
        """
        seed = checked_seed(seed)
        fresh = [random_stream(seed, number, Role.PLACEMENT) for number in self._numbers]
        old = self._generators or fresh
        self._generators = [f if w else o for f, o, w in zip(fresh, old, which, strict=True)]

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Begin the timetable anew for some animals, shape (animals,)."""
        self._control_step[which] = 0
        self._phase[which] = 0
        self._ready |= which
        self._place(which)
        self._look_at_clock()
        self._sense()
        self._report()

    def step(self, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move for one control step; return reward minus punishment at the heads, shape (animals,).

        Parameters
        ----------
        action : ndarray, shape (animals, 2)
            Crawling and turning drive in [−1, 1].

        Raises
        ------
        EnvError
            When an animal was never reset, or is through with the timetable.
        """
        if not self._may_step:
            self._refuse_to_step()
        self._wall_contact = self._bodies.advance(action, self._inner_steps)
        self._control_step += 1
        self._until_change -= 1
        self._sense()
        reward = self._report()
        if self._until_change == 0:
            self._change_phases()
        return reward

    def observation(self) -> NDArray[np.float32]:
        """Return the present observation, shape (animals, features), see `config.features`."""
        return self._observation

    def info(self) -> dict[str, NDArray[Any]]:
        """Return the state of the bodies after the last control step, and its phase."""
        return self._info

    def coming_phase(self) -> NDArray[np.int64]:
        """Return the phase in which each animal's next control step lies."""
        return self._phase.copy()

    # -- snapshots and the view -----------------------------------------------------------------------

    def state(self) -> State:
        """Return copies of all that the next step depends on, the animal axis first."""
        bodies = self._bodies
        return {
            "middle_mm": bodies.middle_mm.T.copy(),
            "heading_rad": bodies.heading_rad.copy(),
            "bend_rad": bodies.bend_rad.copy(),
            "turn_rad": bodies.turn_rad.copy(),
            "stride_mm": bodies.stride_mm.copy(),
            "wall_contact": self._wall_contact.copy(),
            "control_step": self._control_step.copy(),
            "ready": self._ready.copy(),
            "generator": pack_generators(self._generators, self.animals),
        }

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue bit-identically from a `state()` of a task made alike.

        Raises
        ------
        EnvError
            When an entry is missing, unknown, or of another shape.
        """
        check_state(state, self.state())
        bodies = self._bodies
        bodies.middle_mm[:] = np.asarray(state["middle_mm"], float).T
        for name in ("heading_rad", "bend_rad", "turn_rad", "stride_mm"):
            getattr(bodies, name)[:] = state[name]
        bodies.refresh()
        self._wall_contact = np.array(state["wall_contact"], bool)
        self._control_step = np.array(state["control_step"], np.int64)
        self._ready = np.array(state["ready"], bool)
        self._generators = unpack_generators(state["generator"])
        last = len(self._phase_end) - 1
        self._phase = np.minimum(np.searchsorted(self._phase_end, self._control_step, side="right"), last)
        self._look_at_clock()
        self._sense()
        self._observation = self._observed()

    def view(self, which: slice = slice(None)) -> dict[str, Any]:
        """Return the contents of a picture of a dish with some of the animals in it, as it is now.

        Phase, odors and patches are those of the first of them. Positions are those of each animal's own
        dish; `mirrored` marks those with left and right exchanged with respect to the first's.
        """
        return self.scene.view(
            int(self._phase[which][0]),
            self._bodies.head_mm.T[which],
            self._bodies.heading_rad[which],
            self._bodies.bend_rad[which],
            time_s=float(self._control_step[which][0]) * self.control_interval_ms / 1000.0,
            which=which,
        )

    # -- rules ----------------------------------------------------------------------------------------

    def _place(self, which: NDArray[np.bool_]) -> None:
        """Put animals at the start: normally distributed, a body length off the wall, any heading."""
        farthest_mm = self.config.radius_mm - BODY_LENGTH_MM
        middles, headings = [], []
        for i in np.flatnonzero(which):
            generator = self._generators[i]
            middle_mm = generator.normal(0.0, self.config.start_sd_mm)
            while math.hypot(*middle_mm) > farthest_mm:
                middle_mm = generator.normal(0.0, self.config.start_sd_mm)
            middles.append(middle_mm)
            headings.append(generator.uniform(-math.pi, math.pi))
        self._bodies.place(which, np.array(middles).T, np.array(headings))
        self._wall_contact[which] = False

    def _sense(self) -> None:
        """Bring odors, reward and punishment at the heads up to date."""
        head_mm = self._bodies.head_mm
        if not self._dishes:
            self._dishes = [
                kernels().Dish(odors.peak_um, odors.odor, agar.everywhere, agar.center_mm, agar.patch)
                for odors, agar in zip(self._odor_fields, self._agar, strict=True)
            ]
        for phase in self._occupied:
            falloff = self._odor_fields[phase].falloff(head_mm)
            kernels().meet(phase, self._phase, falloff, self._dishes[phase], head_mm, self._senses)

    def _report(self) -> NDArray[np.float64]:
        """Make the arrays that a control step hands out, which nothing changes later; return the rewards."""
        bodies, animals, single = self._bodies, self.animals, np.float32
        report = kernels().Report(
            np.empty((animals, len(self.features)), single),
            np.empty(animals),
            np.empty((animals, 2), single),
            np.empty((animals, 2), single),
            np.empty(animals, single),
            np.empty(animals, single),
            np.empty(animals, single),
            np.empty(animals, single),
            np.empty(animals, np.int32),
        )
        senses = self._senses, self._wall_contact, self._phase
        kernels().report(*senses, *bodies.places(), report)
        self._observation = report.observation
        reward: NDArray[np.float64] = report.reward
        self._info = dict(zip(_INFO, report[2:], strict=True))
        return reward

    def _observed(self) -> NDArray[np.float32]:
        """Return a new observation of the present senses."""
        observation = np.empty((self.animals, len(self.features)), np.float32)
        observation[:, :WALL_COLUMN] = self._senses.T
        observation[:, WALL_COLUMN] = self._wall_contact
        return observation

    def _change_phases(self) -> None:
        """Let the next phase begin for the animals at the end of a phase."""
        ended = self._control_step == self._phase_end[self._phase]
        ended &= self._control_step < self._phase_end[-1]
        self._phase[ended] += 1
        put_back = np.array([phase.replace_animals for phase in self.config.phases])
        moved = ended & put_back[self._phase]
        if moved.any():
            self._place(moved)
        self._look_at_clock()
        self._sense()
        self._observation = self._observed()

    def _look_at_clock(self) -> None:
        """Update the present phases, the number of steps until the next change, and the permission to step.

        There is no further step once an animal is at the end, or if one was never reset.
        """
        self._terminated = self._control_step >= self._phase_end[-1]
        self._occupied = np.unique(self._phase).tolist()
        self._until_change = int((self._phase_end[self._phase] - self._control_step).min())
        self._may_step = bool(self._ready.all()) and not self.terminated.any()

    def _refuse_to_step(self) -> None:
        if not self._ready.all():
            raise EnvError(RESET_FIRST)
        over = np.flatnonzero(self.terminated).tolist()
        raise EnvError(
            f"step: the experiment is over for animals {over}; call reset(), or reset those alone with "
            f"options={{'reset_mask': …}}"
        )
