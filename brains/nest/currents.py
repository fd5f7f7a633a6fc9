"""Currents into a NEST network: through generators, or through the neurons' own constant current.

NEST's `dc_generator` has a delay of at least one step, and NEST advances by the shortest delay of all
connections. So where all others are longer, currents are added to the neurons' `I_e` instead, at the very
step at which a generator's current would arrive.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network

_Floats = NDArray[np.float64]


class CurrentSchedule:
    """Currents in the steps of a window, as if through generators.

    A window's current acts from its third step on, as NEST's dc_generator's does.

    Parameters
    ----------
    network : Network
    seed : int
        Of the neurons' own `I_e`, if it is drawn.
    animals : int
    """

    def __init__(self, network: Network, seed: int, animals: int) -> None:
        rows = [row for given in network.current_inputs for row in network.channel_neurons(given)]
        per_animal = np.concatenate([np.empty(0, np.int64), *rows])
        channel = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        starts = np.arange(animals)[:, None]
        cell = (per_animal + starts * network.n_neurons).ravel()
        self._channel = (channel + starts * len(rows)).ravel()
        i_e = np.concatenate(
            [
                network.parameter(population.name, "I_e", seed, animal)
                for animal in range(animals)
                for population in network.populations
            ]
        )
        self.cells, self._place = np.unique(cell, return_inverse=True)
        """Neurons that currents reach, counted through all animals."""
        self._i_e = i_e[self.cells]
        self._pipeline = np.zeros((2, animals * len(rows)))
        self._flowing = np.zeros(animals * len(rows))

    def changes(self, n_steps: int, current_pa: _Floats) -> Iterator[tuple[int, _Floats]]:
        """Yield (steps into the window, `I_e` of each of `cells` from then on), where it changes.

        Parameters
        ----------
        n_steps : int
            Of the window.
        current_pa : ndarray, shape (animals, channels)
        """
        given = current_pa.ravel()
        amplitudes = (self._pipeline[0].copy(), self._pipeline[1].copy(), given)
        self._pipeline[0] = amplitudes[1] if n_steps == 1 else given
        self._pipeline[1] = given
        for step, amplitude in enumerate(amplitudes[:n_steps]):
            if not np.array_equal(amplitude, self._flowing):
                self._flowing = amplitude.copy()
                added = np.bincount(self._place, weights=amplitude[self._channel], minlength=len(self.cells))
                yield step, self._i_e + added
