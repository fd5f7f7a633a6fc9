"""Neurons chosen by their labels, such as class or side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import RecordingError, nearest


def neurons_with(
    wanted: Mapping[str, str | Sequence[str]], labels: Mapping[str, Sequence[str]]
) -> NDArray[np.int64]:
    """Return the neurons of an animal that have all wanted labels.

    Parameters
    ----------
    wanted : mapping of str to str, or to a sequence of str
        Values by kind of label, such as `{"class": "KC", "side": "left"}`; of several values, a neuron has
        one.
    labels : mapping of str to sequence of str
        The label of each neuron by kind; empty where it has none.

    Raises
    ------
    RecordingError
        When there is no such kind, or no neuron has such a value; the message names the nearest.

    Examples
    --------
    >>> neurons_with({"class": "KC"}, {"class": ("KC", "MBON", "KC")})
    array([0, 2])
    """
    if not wanted:
        raise RecordingError("label: expected at least one kind of label")
    chosen = np.ones(len(next(iter(labels.values()), ())), dtype=bool)
    for kind, given in wanted.items():
        if kind not in labels:
            raise RecordingError(f"there are no labels {kind!r}; {nearest(kind, labels)}")
        values = [given] if isinstance(given, str) else list(given)
        for value in values:
            if value not in labels[kind]:
                raise RecordingError(
                    f"no neuron has the {kind} {value!r}; {nearest(value, {*labels[kind]} - {''})}"
                )
        chosen &= np.isin(np.array(labels[kind]), values)
    return np.flatnonzero(chosen)
