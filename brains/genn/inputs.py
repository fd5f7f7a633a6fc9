"""Inputs of a network as current sources of a GeNN model, which read the tables of `exchange.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.genn import models as genn_models
from ethospike.brains.genn.exchange import CurrentTable
from ethospike.brains.genn.library import pygenn
from ethospike.brains.network import CurrentInput, Network, SpikeInput
from ethospike.errors import BrainError


class Inputs:
    """Adds the inputs of parameter sets to a model.

    Parameters
    ----------
    model : pygenn.GeNNModel
    populations : mapping of str to pygenn.NeuronGroup
    sets : sequence of Network
        They differ in the weights of inputs alone.
    blocks : int
        Animals of each set.
    n_rows : int
        Steps of the tables of input spikes.
    """

    def __init__(
        self,
        model: Any,
        populations: Mapping[str, Any],
        sets: Sequence[Network],
        blocks: int,
        n_rows: int,
    ) -> None:
        self._model, self._populations = model, populations
        self._sets, self._animals, self._n_rows = sets, len(sets) * blocks, n_rows
        self._dtype = np.float32 if model.precision == pygenn.types.Float else np.float64

    def add_spikes(self, index: int) -> Any:
        """Add a spike input; return GeNN's current source, which reads counts of spikes.

        Raises
        ------
        BrainError
            When its weight is too large for the precision, or sets differ in its sign.
        """
        given = self._sets[0].spike_inputs[index]
        where = f"SpikeInput {given.name!r}"
        weights = np.array([network.spike_inputs[index].weight for network in self._sets], dtype=np.float64)
        genn_models.check_precision(where, weights, self._dtype)
        if weights.min() < 0 < weights.max():
            raise BrainError(
                f"{where}.weight: the parameter sets of a batch differ in the sign of weights, which chooses "
                f"the receptor; run them one after the other"
            )
        column, n_columns = self._columns(given)
        params = {"n_columns": n_columns, "n_rows": float(self._n_rows)}
        values: dict[str, NDArray[Any]] = {"column": column}
        by_set = weights.min() < weights.max()
        if by_set:
            values["weight"] = np.repeat(weights[:, None], column.shape[-1], axis=1)
        else:
            params["weight"] = weights[0]
        model = genn_models.SPIKE_INPUT[bool(by_set)]
        source = self._source(given.target, model, params, values)
        source.target_var = "in_ex" if weights.min() >= 0 else "in_in"
        return source

    def add_currents(self, given: CurrentInput) -> CurrentTable:
        """Add a current input; return its table."""
        column, n_columns = self._columns(given)
        params = {"n_columns": n_columns}
        source = self._source(given.target, genn_models.CURRENT_INPUT, params, {"column": column})
        return CurrentTable(source, n_columns, self._dtype)

    def _source(
        self, target: str, model: Any, params: Mapping[str, Any], values: Mapping[str, NDArray[Any]]
    ) -> Any:
        name = f"i{len(self._model.current_sources)}"
        source = self._model.add_current_source(name, model, self._populations[target], params, values)
        for key in params:
            source.set_param_dynamic(key)
        return source

    def _columns(self, given: SpikeInput | CurrentInput) -> tuple[NDArray[np.int64], int]:
        """Return the column of each of the target's neurons, -1 for none, and the number of columns.

        The columns of each animal lie behind those of the animal before. The first has the shape (neurons,),
        or (sets, neurons) for several sets.
        """
        network = self._sets[0]
        size, channels = network.population(given.target).size, network.n_channels(given)
        reach = network.input_neurons(given)
        column = np.full(size, -1)
        column[reach] = np.arange(reach.stop - reach.start) // ((reach.stop - reach.start) // channels)
        columns = [np.where(column < 0, -1, column + animal * channels) for animal in range(self._animals)]
        joined = np.concatenate(columns)
        by_set = joined if len(self._sets) == 1 else joined.reshape(len(self._sets), -1)
        return by_set, self._animals * channels
