"""The contract of an environment for brains: a group of animals that step together.

`GroupEnv` is a Gymnasium vector environment with a control interval, names and units for its numbers, and
saved states. The loop, the recorder and the views ask for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from ethospike.errors import EnvError
from ethospike.states import State
from ethospike.variables import UNKNOWN, Component

Array = NDArray[Any]


class GroupEnv(VectorEnv[Array, Array, Array]):
    """A vector environment for brains; row i of every array is animal i.

    Subclasses have the four spaces and `num_envs` of Gymnasium, `reset` and `step`. An animal that has ended
    stays ended until `reset` is called with it in `options["reset_mask"]`: through an automatic reset, a
    brain's clock would run on.

    Attributes
    ----------
    control_interval_ms : float
        Simulated time of one `step` (ms).
    variables : mapping of str to mapping
        Descriptions of the arrays in `info`, made by `ethospike.variables.variable`; each is an array of
        shape (animals, …) in the `info` of every step, and is recorded.
    features, actuators : tuple of Component
        Names and units of the observation's and the action's entries; empty if they have none.
    phases : tuple of str
        Names to which the integer variable `phase` refers; empty without phases.
    phase_at_end : bool
        False if `phase` is the phase in whose time the control step lies, True if it is the phase in which
        the task is after it.
    intervals : mapping of str to mapping of str to mapping
        Kinds of intervals that `pop_intervals` returns, such as `trial` or `episode`, and of each the
        descriptions of its columns beside `animal`, `start_step` and `stop_step`: floats or signed integers.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED, "render_modes": []}
    control_interval_ms: float
    variables: Mapping[str, Mapping[str, Any]] = {}
    features: tuple[Component, ...] = ()
    actuators: tuple[Component, ...] = ()
    phases: tuple[str, ...] = ()
    phase_at_end: bool = False
    intervals: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}

    def is_over(self, terminated: Array, truncated: Array) -> bool:
        """Return True when the run ends: here, when every animal is terminated or truncated.

        Environments with several episodes end otherwise.
        """
        return bool(np.count_nonzero(terminated | truncated) == len(terminated))

    def pop_begun(self) -> Array:
        """Return a mask of the animals with the first observation of an episode, once; shape (animals,).

        Only environments with several episodes need it.
        """
        return np.zeros(self.num_envs, bool)

    def coming_phase(self) -> Array:
        """Return the phase in which the next control step lies, as an index into `phases`; shape (animals,).

        Only environments with phases need it, for what is to happen in a phase.

        Raises
        ------
        EnvError
            When the environment does not say it.
        """
        raise EnvError(
            f"{type(self).__name__} does not tell the phase of the next control step; give it `coming_phase`"
        )

    def scene(self) -> dict[str, Any]:
        """Return the parts of the world that stay, in the plain types of JSON; empty if nothing is drawn.

        The entry `kind` names the class that draws it, see `ethospike.envs.scene`.
        """
        return {}

    def pop_intervals(self) -> dict[str, dict[str, Array]]:
        """Return the intervals (trials, episodes) that ended since the last call, and forget them.

        Returns
        -------
        dict of str to dict of str to ndarray, shape (intervals,)
            By kind and column; empty if no interval ended. `start_step` and `stop_step` are control steps
            from the first reset: the interval holds the calls start_step … stop_step − 1 of `step`.
        """
        return {}

    def frame(self, animal: int) -> Array | None:
        """Return a picture of an animal now, uint8 of shape (height, width, 3); None if there is none.

        Only environments without a scene of their own need it.
        """
        return None

    def state(self) -> State:
        """Return copies of all that the next step depends on, random generators included.

        Raises
        ------
        NotImplementedError
            When the environment cannot save its state; runs then make no checkpoints.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot save its state")

    def set_state(self, state: Mapping[str, Array]) -> None:
        """Continue from a `state()` of an environment made alike.

        Raises
        ------
        EnvError
            When an entry is missing, unknown, or of another shape.
        NotImplementedError
            When the environment cannot restore a state.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot restore a state")


def group_env(env: VectorEnv) -> GroupEnv:
    """Return the environment inside all wrappers.

    Raises
    ------
    EnvError
        When it is no `GroupEnv`, or resets animals by itself.
    """
    inner = env.unwrapped
    if isinstance(inner, GroupEnv):
        mode = inner.metadata.get("autoreset_mode", AutoresetMode.DISABLED)
        if mode is not AutoresetMode.DISABLED:
            raise EnvError(f"autoreset_mode: brains need DISABLED, got {mode.name}; their clock would run on")
        return inner
    raise EnvError(
        f"expected an environment of type ethospike.envs.contract.GroupEnv, got {type(inner).__name__}; "
        f"derive it from GroupEnv"
    )


def component_names(components: tuple[Component, ...], size: int, kind: str) -> tuple[Component, ...]:
    """Return the components of an array of `size` entries, with names and unknown units if it has none.

    Raises
    ------
    EnvError
        When the number of components is neither 0 nor `size`, or a name is there twice.

    Examples
    --------
    >>> component_names((), 2, "feature")[1].name
    'feature[1]'
    """
    if not components:
        return tuple(Component(f"{kind}[{i}]", UNKNOWN) for i in range(size))
    names = [component.name for component in components]
    if len(names) != size or len(set(names)) < size:
        raise EnvError(f"{kind} names: expected {size} different names, got {', '.join(names)}")
    return components
