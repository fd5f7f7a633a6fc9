"""The race of cluster rates to a threshold, which decides for a direction of reaching.

Source: Rostami et al. 2024 (Nat Commun 15:6304), authors' code reaction_times_functions.py, "RT" below:
leaky-integrated rates, normalized across directions, race to one threshold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BIN_MS = 1.0
"""Resolution of the decision (RT: spikes are counted per millisecond)."""
SILENCE = 1e-10
"""Stands for an integral of zero before normalization (RT): without spikes, all directions are equal."""
UNDECIDED = -1
"""Direction and time of a race without a winner."""


class ClusterRace:
    """Leaky integrators of the spikes for each direction, and their race to a threshold.

    I(t + 1 ms) = I(t) − I(t)/τ + c(t), where c(t) is the number of spikes per neuron in the millisecond
    after t (RT, `integrate`); the decision variable is I divided by the sum over directions.

    Parameters
    ----------
    animals, directions, bins : int
        `bins` milliseconds make a control step.
    tau_ms : float
    """

    def __init__(self, animals: int, directions: int, bins: int, tau_ms: float) -> None:
        keep = 1.0 - BIN_MS / tau_ms
        later = np.arange(bins + 1)
        self._fade = keep**later
        # Row j holds what each bin's count has become at offset j: keep^(j − 1 − i) for the bins i before it.
        age = later[:, None] - 1 - np.arange(bins)[None, :]
        self._kernel = np.where(age >= 0, keep ** np.maximum(age, 0), 0.0)
        self.integral = np.zeros((animals, directions))

    def advance(self, counts: NDArray[np.floating]) -> NDArray[np.float64]:
        """Integrate the counts of a control step, spikes per neuron of shape (animals, directions, bins).

        Returns
        -------
        ndarray of float64, shape (animals, directions, bins + 1)
            The decision variable at the beginning of the control step and after each of its bins.
        """
        integral = self.integral[:, :, None] * self._fade + counts @ self._kernel.T
        self.integral = integral[:, :, -1].copy()
        integral = np.where(integral == 0.0, SILENCE, integral)
        return np.asarray(integral / integral.sum(axis=1, keepdims=True))


def first_crossing(
    share: NDArray[np.floating], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first direction above the threshold, and its time (RT, `race_to_threshold`).

    Parameters
    ----------
    share : ndarray, shape (races, directions, times)
    threshold : float

    Returns
    -------
    winner, time : ndarray of int64, shape (races,)
        Direction and index of the time; both −1 where the threshold is never exceeded.
    """
    crossed = share.max(axis=1) > threshold
    time = crossed.argmax(axis=1)
    winner = share[np.arange(len(share)), :, time].argmax(axis=1)
    never = ~crossed.any(axis=1)
    return np.where(never, UNDECIDED, winner), np.where(never, UNDECIDED, time)
