"""The interface that the engines of the Numba simulator have in common.

An engine may rely on the checks of `Simulator`: the stimulus fits the window, weights have the right
shape and signs, delays are whole steps, and it is not used after `close`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network
from ethospike.brains.simulator import SpikeBlock, Stimulus
from ethospike.brains.simulator.synapses import Draw
from ethospike.states import State


class Engine(Protocol):
    """A network in the form in which compiled code runs it.

    Parameters
    ----------
    network : Network
    seed : int
        Of wiring and drawn parameters, keyed by animal.
    animals : int
    dt_ms : float
    precision : str
        "single" or "double": type of the neurons' state.
    threads : int
        At least 1; results must not depend on it.
    draw : callable, optional
        Gives the synapses of a projection in an animal; by default `Network.draw` with the seed.

    Attributes
    ----------
    backend : str
        Version, threads and precision, for `run.json`.
    """

    backend: str

    def __init__(
        self,
        network: Network,
        *,
        seed: int,
        animals: int,
        dt_ms: float,
        precision: str,
        threads: int,
        draw: Draw | None = None,
    ) -> None: ...

    def run(self, first_step: int, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        """Simulate the steps first_step … first_step + n_steps − 1 and return their sorted spikes.

        Raises
        ------
        NotFiniteError
            When a membrane potential is no longer finite.
        """

    def weights(self, name: str) -> NDArray[np.float64]:
        """Return a copy of the weights, shape (animals, synapses), in the order of `Network.wire`."""

    def set_weights(self, name: str, weights: NDArray[np.float64]) -> None:
        """Replace a projection's weights."""

    def state(self) -> State:
        """Return copies of all that the next step depends on, except the step's number."""

    def set_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Continue from a `state()`; a state that does not fit raises an error and changes nothing."""

    def silence(self, level: NDArray[np.int8]) -> None:
        """Apply the levels of `Simulator.silence` (FREE, CUT, SILENT), shape (animals, neurons)."""

    def suppressed_spikes(self) -> NDArray[np.int64]:
        """Return the spikes of silent neurons that did not come about, shape (animals, neurons)."""

    def watch(self, neurons: NDArray[np.integer]) -> None:
        """Record V_m of these neurons of every animal from the next window on."""

    def voltages(self) -> NDArray[np.float64]:
        """Return V_m (mV) at the end of each step of the last window, shape (steps, animals, watched)."""

    def close(self) -> None:
        """Give back memory."""
