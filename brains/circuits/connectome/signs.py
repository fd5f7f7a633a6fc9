"""Signs of synapses: a table from a label of the neuron before them to excitation or inhibition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.errors import BrainError, nearest

ASSUMED = "assumed"
"""First word of the source of a sign that nobody has measured."""


@dataclass(frozen=True)
class SignRow:
    """The sign of the neurons with one value of a label.

    Parameters
    ----------
    value : str
    inhibitory : float or None
        Share of inhibitory neurons: 0 excitatory, 1 inhibitory; in between, the sign of each neuron is
        drawn. None: the neurons have no fast synapses, and their edges are left out.
    source : str
        The publication, or a text that begins with "assumed".
    """

    value: str
    inhibitory: float | None
    source: str

    def __post_init__(self) -> None:
        if self.inhibitory is not None and not 0.0 <= self.inhibitory <= 1.0:
            raise BrainError(
                f"SignRow {self.value!r}.inhibitory: expected a share in 0 … 1, or None, got "
                f"{self.inhibitory}"
            )
        if not self.source:
            raise BrainError(f"SignRow {self.value!r}.source: expected a publication, or 'assumed'")

    @property
    def is_assumed(self) -> bool:
        """True where the sign is a guess."""
        return self.source.startswith(ASSUMED)


@dataclass(frozen=True)
class SignTable:
    """A sign for each value of a label; a value without a row is an error, never a default.

    Parameters
    ----------
    kind : str
        Kind of label, such as `transmitter` or `class`.
    rows : tuple of SignRow
    """

    kind: str
    rows: tuple[SignRow, ...]

    def __post_init__(self) -> None:
        values = [row.value for row in self.rows]
        if repeated := {value for value in values if values.count(value) > 1}:
            raise BrainError(f"SignTable: {sorted(repeated)[0]!r} has two rows; expected one a value")

    @classmethod
    def of(cls, kind: str, signs: Mapping[str, int], source: str) -> SignTable:
        """Make a table from signs: +1 excitatory, −1 inhibitory, 0 without fast synapses.

        Raises
        ------
        BrainError
            When a sign is another number.
        """
        shares = {1: 0.0, -1: 1.0, 0: None}
        for value, sign in signs.items():
            if sign not in shares:
                raise BrainError(f"SignTable: expected a sign of +1, −1 or 0 for {value!r}, got {sign!r}")
        return cls(kind, tuple(SignRow(value, shares[sign], source) for value, sign in signs.items()))

    @classmethod
    def read(cls, path: str | Path, kind: str) -> SignTable:
        """Read a CSV with the columns value, inhibitory (0 … 1, or empty) and source."""
        from ethospike.brains.circuits.connectome.tables import read_frame

        frame = read_frame(path, ["value", "inhibitory", "source"], dtype=str, keep_default_na=False)
        rows = []
        for line, (value, share, source) in enumerate(frame.itertuples(index=False), start=2):
            try:
                rows.append(SignRow(value, float(share) if share else None, source))
            except ValueError as error:
                reason = error if isinstance(error, BrainError) else f"{share!r} is no number"
                raise BrainError(f"{path}, row {line}: {reason}") from None
        return cls(kind, tuple(rows))

    def _row_of_neuron(self, connectome: Connectome) -> NDArray[np.int64]:
        values = connectome.label(self.kind)
        names = {row.value: place for place, row in enumerate(self.rows)}
        different, inverse = np.unique(values, return_inverse=True)
        if missing := [value for value in different.tolist() if value not in names]:
            count = int((values == missing[0]).sum())
            shown = repr(missing[0]) if missing[0] else "an empty label"
            raise BrainError(
                f"{connectome.source.name}: no sign for the {self.kind} {shown} of {count:,} neurons "
                f"({len(missing)} such values); add a row, {nearest(missing[0], names)}"
            )
        return np.array([names[value] for value in different.tolist()])[inverse]

    def signs(self, connectome: Connectome, seed: int = 0, pairs: str | None = "pair") -> NDArray[np.int8]:
        """Return the sign of each neuron: +1, −1, or 0 for one without fast synapses.

        Parameters
        ----------
        connectome : Connectome
        seed : int
            Of signs that are drawn: neurons of a row get exactly its share of inhibitory ones.
        pairs : str or None
            Kind of label with the id of the partner in the other hemisphere, which gets the same drawn sign;
            ignored where the connectome has no such labels.

        Raises
        ------
        BrainError
            When a value has no row.
        """
        row_of = self._row_of_neuron(connectome)
        signs = np.zeros(connectome.n_neurons, dtype=np.int8)
        rng = np.random.default_rng([seed, 19])
        leader = _leaders(connectome, pairs)
        for place, row in enumerate(self.rows):
            mine = np.flatnonzero(row_of == place)
            if row.inhibitory is None or not len(mine):
                continue
            signs[mine] = 1
            units = np.unique(leader[mine])
            drawn = rng.permutation(units)[: round(row.inhibitory * len(units))]
            signs[mine[np.isin(leader[mine], drawn)]] = -1
        return signs

    def assumed(self, connectome: Connectome) -> NDArray[np.bool_]:
        """Return for each neuron whether its sign is a guess."""
        guesses = np.array([row.is_assumed for row in self.rows])
        return np.asarray(guesses[self._row_of_neuron(connectome)])

    def assumed_share(self, connectome: Connectome) -> float:
        """Return the share of synapses with an assumed sign, among those of neurons with fast synapses."""
        fast = np.array([row.inhibitory is not None for row in self.rows])[self._row_of_neuron(connectome)]
        counts = connectome.synapses * fast[connectome.pre]
        guessed = counts[self.assumed(connectome)[connectome.pre]]
        return float(guessed.sum(dtype=np.int64) / max(1, counts.sum(dtype=np.int64)))


def _leaders(connectome: Connectome, pairs: str | None) -> NDArray[np.int64]:
    """Return for each neuron the row of the first neuron of its pair, or its own row."""
    rows = np.arange(connectome.n_neurons)
    if pairs is None or pairs not in connectome.labels:
        return rows
    place = {name: row for row, name in enumerate(connectome.labels["id"].tolist())}
    partner = np.array([place.get(name, -1) for name in connectome.labels[pairs].tolist()])
    partner = np.where(partner < 0, rows, partner)
    return np.asarray(np.minimum(rows, partner))
