"""Neurons of a network by words: populations, parts of them, clusters and labels."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import Network
from ethospike.errors import ArmError, BrainError, nearest

_PART = re.compile(r"(?P<population>[^\[\]]+?)(?P<cluster>\.cluster)?\[(?P<places>[^\[\]]*)\]")
FORMS = "KC, KC[3], KC[0:36], KC[1,5], E.cluster[2] or @side=left"


def chosen_neurons(where: str, network: Network, words: Sequence[str]) -> NDArray[np.int64]:
    """Return the neurons (counted through an animal) that words choose, sorted, each once.

    Parameters
    ----------
    where : str
        Begins the messages.
    network : Network
    words : sequence of str
        Each a population, `KC`; some of its neurons, `KC[3]`, `KC[0:36]` or `KC[1,5]`; clusters of it,
        `E.cluster[2]`; or a label, `@side=left`.

    Raises
    ------
    ArmError
        When a word has another form, or chooses no neuron.

    Examples
    --------
    >>> from ethospike.brains.circuits.mushroom_body import mushroom_body
    >>> chosen_neurons("example", mushroom_body(), ["PN[0:2]", "APL"]).tolist()
    [21, 22, 135]
    """
    chosen = [_of_word(where, network, word) for word in words]
    return np.unique(np.concatenate([np.empty(0, np.int64), *chosen])).astype(np.int64)


def _of_word(where: str, network: Network, word: str) -> NDArray[np.int64]:
    if word.startswith("@"):
        kind, equals, value = word[1:].partition("=")
        if not equals:
            raise ArmError(f"{where}: expected {FORMS}, got {word!r}")
        try:
            return network.labelled(**{kind: value})
        except BrainError as error:
            raise ArmError(f"{where}: {error}") from error
    part = _PART.fullmatch(word)
    name = part["population"] if part else word
    names = [population.name for population in network.populations]
    if name not in names:
        raise ArmError(f"{where}: no population {name!r}; {nearest(name, names)}")
    neurons = np.arange(network.n_neurons)[network.neurons(name)]
    if part is None:
        return neurons
    groups = neurons.reshape(-1, network.population(name).cluster_size) if part["cluster"] else neurons
    return groups[_places(where, word, part["places"], len(groups))].ravel()


def _places(where: str, word: str, text: str, size: int) -> list[int]:
    """Return the places that `3`, `0:36` or `1,5` mean."""
    places: list[int] = []
    for item in text.split(","):
        first, colon, last = (part.strip() for part in item.partition(":"))
        if not (first.isdecimal() and (not colon or last.isdecimal())):
            raise ArmError(f"{where}: expected {FORMS}, got {word!r}")
        places += range(int(first), int(last)) if colon else [int(first)]
    if not places or max(places) >= size:
        raise ArmError(f"{where}: {word!r}: expected places in 0 … {size - 1}")
    return places
