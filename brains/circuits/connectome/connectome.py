"""A connectome as data: neurons with labels, edges with numbers of synapses, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import DataSource
from ethospike.errors import BrainError, nearest

_Rows = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class Connectome:
    """Neurons and the directed edges between them.

    Every change returns a new connectome and adds a sentence to `source.steps`.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (neurons,)
        `id`, and further kinds such as `name`, `class`, `side`, `pair`, `transmitter`; all text.
    pre, post : ndarray of int, shape (edges,)
        Rows of the neurons before and behind the synapses of each edge.
    synapses : ndarray of int32, shape (edges,)
        Number of synapses of each edge, at least 1.
    source : DataSource
    edge_labels : mapping of str to ndarray, shape (edges,)
        Further columns of the edges; text.

    Examples
    --------
    >>> source = DataSource("example", "1", "public domain", "no publication")
    >>> labels = {"id": np.array(["a", "b"]), "class": np.array(["PN", "KC"])}
    >>> two = Connectome(labels, np.array([0, 1]), np.array([1, 1]), np.array([5, 2]), source)
    >>> two.without_autapses().n_synapses
    5
    """

    labels: Mapping[str, NDArray[Any]]
    pre: _Rows
    post: _Rows
    synapses: NDArray[np.int32]
    source: DataSource
    edge_labels: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "id" not in self.labels:
            raise BrainError("Connectome.labels: expected the kind 'id'")
        for kind, values in self.labels.items():
            if len(values) != self.n_neurons:
                raise BrainError(
                    f"Connectome.labels[{kind!r}]: expected {self.n_neurons} values, one a neuron, got "
                    f"{len(values)}"
                )
        columns: dict[str, NDArray[Any]] = {
            "pre": self.pre,
            "post": self.post,
            "synapses": self.synapses,
            **self.edge_labels,
        }
        if len({len(column) for column in columns.values()}) > 1:
            lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
            raise BrainError(f"Connectome: expected edge columns of equal length, got {lengths}")

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return len(self.labels["id"])

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.pre)

    @property
    def n_synapses(self) -> int:
        """Number of synapses."""
        return int(self.synapses.sum(dtype=np.int64))

    @property
    def autapses(self) -> NDArray[np.bool_]:
        """Return for each edge whether it leads from a neuron to itself."""
        return np.asarray(self.pre == self.post)

    def label(self, kind: str) -> NDArray[Any]:
        """Return a value a neuron.

        Raises
        ------
        BrainError
            When there is no such kind; the message names the nearest.
        """
        if kind not in self.labels:
            raise BrainError(f"{self.source.name}: no label {kind!r}; {nearest(kind, self.labels)}")
        return self.labels[kind]

    def where(self, **label: str) -> NDArray[np.bool_]:
        """Return for each neuron whether it has all these labels.

        Raises
        ------
        BrainError
            When there is no such kind, or no neuron has a value.
        """
        chosen = np.ones(self.n_neurons, dtype=bool)
        for kind, value in label.items():
            values = self.label(kind)
            if not (values == value).any():
                raise BrainError(
                    f"{self.source.name}: no neuron has the {kind} {value!r}; "
                    f"{nearest(value, set(values.tolist()) - {''})}"
                )
            chosen &= values == value
        return chosen

    def with_label(self, kind: str, values: NDArray[Any]) -> Connectome:
        """Return a connectome with another kind of label."""
        return replace(self, labels={**self.labels, kind: np.asarray(values, dtype=str)})

    def part(self, neurons: NDArray[Any], why: str) -> Connectome:
        """Return some neurons, in the given order, with the edges between them.

        Parameters
        ----------
        neurons : ndarray of int or bool
            Rows, each at most once, or a mask.
        why : str
            For `source.steps`.
        """
        rows = np.flatnonzero(neurons) if np.asarray(neurons).dtype == bool else np.asarray(neurons)
        place = np.full(self.n_neurons, -1, dtype=np.int32)
        place[rows] = np.arange(len(rows))
        kept = (place[self.pre] >= 0) & (place[self.post] >= 0)
        made = replace(
            self,
            labels={kind: values[rows] for kind, values in self.labels.items()},
            pre=place[self.pre[kept]],
            post=place[self.post[kept]],
            synapses=self.synapses[kept],
            edge_labels={kind: values[kept] for kind, values in self.edge_labels.items()},
            source=self.source.after(f"{why}: {len(rows):,} of {self.n_neurons:,} neurons"),
        )
        return made

    def _with_edges(self, kept: NDArray[np.bool_], step: str) -> Connectome:
        return replace(
            self,
            pre=self.pre[kept],
            post=self.post[kept],
            synapses=self.synapses[kept],
            edge_labels={kind: values[kept] for kind, values in self.edge_labels.items()},
            source=self.source.after(step),
        )

    def at_least(self, synapses: int) -> Connectome:
        """Return the edges with at least so many synapses.

        Raises
        ------
        BrainError
            When the threshold is below 1, or no edge is left.
        """
        if synapses < 1:
            raise BrainError(f"at_least: expected a threshold of at least 1 synapse, got {synapses}")
        kept = np.asarray(self.synapses >= synapses)
        if self.n_edges and not kept.any():
            raise BrainError(
                f"at_least: no edge has {synapses} synapses; the most are {int(self.synapses.max())}"
            )
        left_out = self.n_edges - int(kept.sum())
        return self._with_edges(kept, f"edges of at least {synapses} synapses; {left_out:,} left out")

    def without_autapses(self) -> Connectome:
        """Return the edges between different neurons."""
        autapses = self.autapses
        return self._with_edges(~autapses, f"left out {int(autapses.sum()):,} autapses")

    def without(self, edges: NDArray[np.bool_], why: str) -> Connectome:
        """Return the edges outside a mask."""
        count = int(np.count_nonzero(edges))
        return self._with_edges(~np.asarray(edges, dtype=bool), f"left out {count:,} edges: {why}")

    def with_unique_edges(self, duplicates: str, where: str = "edges") -> Connectome:
        """Return the edges sorted by (pre, post), each once.

        Parameters
        ----------
        duplicates : {"refuse", "add"}
            Edges with the same two neurons: an error, or parts that are added.
        where : str
            Begins the message.
        """
        key = self.pre * np.int64(self.n_neurons) + self.post
        is_sorted = bool((key[1:] > key[:-1]).all()) if len(key) else True
        if is_sorted:
            return self
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.concatenate([[True], key[1:] != key[:-1]])
        repeated = np.flatnonzero(~first)
        if len(repeated) and duplicates == "refuse":
            edge = order[repeated[0]]
            names = self.labels["id"]
            raise BrainError(
                f"{where}: the edge {names[self.pre[edge]]} → {names[self.post[edge]]} is listed twice "
                f"({len(repeated):,} repeated edges); pass duplicates='add' if rows are parts of an edge"
            )
        starts = np.flatnonzero(first)
        counts = np.add.reduceat(self.synapses[order].astype(np.int64), starts)
        rows = order[starts]
        step = () if not len(repeated) else (f"added {len(repeated):,} parts of edges",)
        return replace(
            self,
            pre=self.pre[rows],
            post=self.post[rows],
            synapses=counts.astype(np.int32),
            edge_labels={kind: values[rows] for kind, values in self.edge_labels.items()},
            source=self.source.after(*step),
        )

    def between(self, kind: str, pre: str, post: str) -> int:
        """Return the number of synapses from the neurons with one value of a label to those with another."""
        values = self.label(kind)
        chosen = (values[self.pre] == pre) & (values[self.post] == post)
        return int(self.synapses[chosen].sum(dtype=np.int64))

    def check_direction(self, kind: str, pre: str, post: str) -> None:
        """Raise `BrainError` unless most synapses between two groups lead from `pre` to `post`.

        Pre and post are easily exchanged in files; the direction between some groups is known.
        """
        there, back = self.between(kind, pre, post), self.between(kind, post, pre)
        if there <= back:
            raise BrainError(
                f"{self.source.name}: expected most synapses between {pre} and {post} from {pre} to {post}, "
                f"got {there:,} and {back:,} in the other direction; are pre and post exchanged?"
            )
