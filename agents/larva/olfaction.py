"""The olfactory drive of a larva: a changing smell makes it keep its course or turn.

It is larvaworld's olfactor (Sakagiannis et al.; github.com/nawrotlab/larvaworld: sensor.py): a leaky sum of
gain × relative change of concentration, clipped to [-1, 1] as in February 2023. (Versions 2.4.0 to 2.5.1 have
the same range, but clip only Python's own numbers, which the sum is not.) There the change is
c(t) / c(t − dt) − 1 and the sum gains dt × gain × change with dt = 0.1 s. Here the change is
ln c(t) − ln c(t − dt), which is the same to first order and adds up over any control interval, and 0.1 s is
a constant, so that behavior does not depend on the control interval.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import AgentError
from ethospike.states import State, check_state
from ethospike.variables import variable

INNATE_GAIN = 150.0
"""Gain of an odor that is innately attractive: larvaworld's navigator."""
DECAY_PER_S = 0.1
"""Rate at which the drive forgets (1/s): larvaworld's decay_coef."""
DETECTION_FLOOR_UM = 0.02
"""Concentration below which there is no smell and hence no change of it. Chosen: a hundredth of the peak of
an odor cup (2 µM). With that peak as the 1:20 dilution of the learning experiments it stands for 1:2000,
where the learned preference of larvae is gone (larvaworld's figures of odor preference). It adds at most
29 Hz to the rate of a receptor (a hundredth of 2,880 Hz), about as much as the count of a gamma process of
140 Hz and shape 3 fluctuates within 100 ms (22 Hz)."""
DRIVE_VARIABLE: Mapping[str, Any] = variable(
    "olfactory drive of the turner: 1 suppresses, -1 enhances turning", "1", "float32"
)
"""Description of the drive in recordings; every larva reads it out."""


@functools.cache
def _compiled() -> Any:
    """Return the compiled code, loaded on demand; as an attribute it would prevent pickling."""
    from ethospike.agents.larva import readout

    return readout


class OlfactoryDrive:
    """The olfactory drive of a group of animals.

    A change counts only where the concentration was above the detection floor both times: none is defined
    from nothing to something, e.g. when a phase of the experiment switches an odor on.

    Parameters
    ----------
    animals : int
    smells : int
        Concentrations that are followed each for itself, each with its own gain.
    control_interval_ms : float
    floor_um : float
        Detection floor, above 0.

    Examples
    --------
    >>> olfaction = OlfactoryDrive(animals=1, smells=1, control_interval_ms=100.0)
    >>> olfaction.update(np.array([[1.0]]), INNATE_GAIN)  # the first smell is no change
    array([0.])
    >>> bool(olfaction.update(np.array([[1.01]]), INNATE_GAIN) > 0)
    True
    """

    def __init__(
        self,
        animals: int,
        smells: int,
        control_interval_ms: float,
        floor_um: float = DETECTION_FLOOR_UM,
    ) -> None:
        if not (math.isfinite(floor_um) and floor_um > 0):
            raise AgentError(f"detection floor: expected a concentration above 0 µM, got {floor_um}")
        self._keep = math.exp(-DECAY_PER_S * control_interval_ms / 1000)
        self._floor_um = floor_um
        self._log_floor = float(np.log(floor_um))
        self._log_before = np.full((animals, smells), self._log_floor)
        self._drive = np.zeros(animals)

    def update(
        self, concentration_um: NDArray[np.floating], gain: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """Take the smell of a control step and return the drive.

        Parameters
        ----------
        concentration_um : ndarray, shape (animals, smells)
        gain : ndarray, shape (animals, smells) or a shape that broadcasts to it
            Positive for a smell to approach.

        Returns
        -------
        ndarray of float64, shape (animals,)
            In [-1, 1]; the object's own array, which the next call changes.
        """
        log_now = np.log(np.maximum(concentration_um, self._floor_um), dtype=np.float64)
        if not isinstance(gain, np.ndarray) or gain.shape != log_now.shape or not gain.flags.carray:
            gain = np.array(np.broadcast_to(gain, log_now.shape), np.float64)
        _compiled().update_drive(log_now, self._log_before, self._log_floor, gain, self._keep, self._drive)
        self._log_before = log_now
        return self._drive

    def state(self) -> State:
        """Return copies of all that the next drive depends on."""
        return {"log_before": self._log_before.copy(), "drive": self._drive.copy()}

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()`.

        Raises
        ------
        AgentError
            When an entry is missing, unknown, or of another shape; nothing has changed then.
        """
        check_state(state, self.state())
        self._log_before[:] = state["log_before"]
        self._drive[:] = state["drive"]
