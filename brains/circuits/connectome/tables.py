"""Tables of neurons and of edges, read from files into a `Connectome`; each fault is one line with its place.

An edge table has one row an edge, from the neuron before the synapses (`pre`) to the neuron behind them
(`post`), with the number of synapses. Neurons are told apart by their ids, because names repeat.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.network import DataSource
from ethospike.errors import BrainError, nearest
from ethospike.paths import expanded

if TYPE_CHECKING:
    import pandas as pd

MOST_SYNAPSES = 2**31 - 1
"""Largest number of synapses of an edge that a connectome holds."""

Duplicates = Literal["refuse", "add"]
Unknown = Literal["refuse", "drop"]
Orientation = Literal["rows are pre", "columns are pre"]


@dataclass(frozen=True)
class NeuronColumns:
    """Columns of a table of neurons.

    Parameters
    ----------
    id : str
        Column of the ids.
    labels : mapping of str to str
        Column of each kind of label (`class`, `side`, `pair`, …).
    """

    id: str = "id"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EdgeColumns:
    """Columns of a table of edges.

    Parameters
    ----------
    pre, post, synapses : str
    keep : mapping of str to str
        Columns of edges to hand on, such as the transmitter.
    only : mapping of str to str
        Value of a column; rows with another one are left out, such as electrical contacts.
    """

    pre: str = "pre"
    post: str = "post"
    synapses: str = "synapses"
    keep: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)


def read_frame(path: str | Path, columns: Sequence[str], **given: Any) -> pd.DataFrame:
    """Return some columns of a table; empty cells are NaN.

    Parameters
    ----------
    path : path-like
        CSV, separated by commas, tabs or semicolons, also packed by gzip; Parquet or Feather.
    columns : sequence of str
    **given
        For `pandas.read_csv`.

    Raises
    ------
    BrainError
        When the file is absent, cannot be read, or lacks a column.
    """
    import pandas as pd

    path = expanded(path)
    _require_file(path)
    try:
        if path.suffix in (".parquet", ".feather"):
            frame = _read_arrow(path)
        else:
            frame = pd.read_csv(path, sep=_separator(path), low_memory=False, **given)
    except ImportError:
        raise BrainError(
            f"{path}: files of this kind need pyarrow, which is not installed; pip install pyarrow, or "
            f"convert the file to CSV"
        ) from None
    except (ValueError, OSError, EOFError) as error:  # the last from an archive that ends too early
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BrainError(f"{path}: expected a table, and it cannot be read ({reason})") from None
    for column in columns:
        if column not in frame.columns:
            raise BrainError(
                f"{path}: expected a column {column!r}; {nearest(column, map(str, frame.columns))}"
            )
    if not len(frame):
        raise BrainError(f"{path}: expected at least one row below the header")
    return frame[list(columns)]


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise BrainError(f"{path}: expected a file, and it is a folder")
    if not path.is_file():
        raise BrainError(f"{path}: there is no such file")


def _separator(path: Path) -> str:
    """Return the one of comma, tab and semicolon that the first line has most of."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        line = file.readline()
    return max(",\t;", key=lambda separator: line.count(separator.encode()))


def _read_arrow(path: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_feather(path)


def checksums(*paths: str | Path) -> dict[str, str]:
    """Return the SHA-256 of files by name."""
    sums = {}
    for path in map(expanded, paths):
        with path.open("rb") as file:
            sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def connectome_from_tables(
    neurons: str | Path,
    edges: str | Path,
    source: DataSource,
    *,
    neuron_columns: NeuronColumns | None = None,
    edge_columns: EdgeColumns | None = None,
    duplicates: Duplicates = "refuse",
    unknown: Unknown = "refuse",
) -> Connectome:
    """Read a connectome from a table of neurons and a table of edges.

    Parameters
    ----------
    neurons, edges : path-like
        CSV, Parquet or Feather.
    source : DataSource
        Checksums are added to it.
    neuron_columns : NeuronColumns, optional
    edge_columns : EdgeColumns, optional
    duplicates : {"refuse", "add"}
        Rows with the same pre and post: an error, or parts of one edge (such as neuropils) that are added.
    unknown : {"refuse", "drop"}
        Edges of neurons that the table of neurons lacks.

    Raises
    ------
    BrainError
        On a missing file or column, an empty cell, a count that is no positive whole number, a neuron that
        is listed twice, an unknown neuron, a repeated edge; the message names the first row.
    """
    of_neurons = neuron_columns or NeuronColumns()
    cells = read_frame(neurons, [of_neurons.id, *dict.fromkeys(of_neurons.labels.values())], dtype=object)
    ids = _ids(cells[of_neurons.id], neurons, of_neurons.id)
    labels = {kind: _text(cells[column]) for kind, column in of_neurons.labels.items()}
    return connectome_of_cells(
        {"id": ids, **labels},
        expanded(neurons),
        edges,
        source,
        edge_columns=edge_columns,
        duplicates=duplicates,
        unknown=unknown,
    )


def connectome_of_cells(
    labels: Mapping[str, NDArray[Any]],
    neurons: Path,
    edges: str | Path,
    source: DataSource,
    *,
    edge_columns: EdgeColumns | None = None,
    duplicates: Duplicates = "refuse",
    unknown: Unknown = "refuse",
) -> Connectome:
    """Read the edges between neurons that have been read; see `connectome_from_tables`.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (neurons,)
        `id` among them.
    neurons : Path
        The file from which they come.
    edges, source, edge_columns, duplicates, unknown
        As of `connectome_from_tables`.
    """
    _check_choice("duplicates", duplicates, Duplicates)
    _check_choice("unknown", unknown, Unknown)
    ids, of_edges = labels["id"], edge_columns or EdgeColumns()
    if repeated := _first_repeated(ids):
        raise BrainError(f"{neurons}: the neuron {repeated!r} is listed twice; expected one row a neuron")
    rows = read_edges(edges, of_edges)
    ends = [_places(ids, rows[end]) for end in ("pre", "post")]
    kept = np.ones(len(rows["pre"]), dtype=bool)
    for end, where in zip(("pre", "post"), ends, strict=True):
        if (lost := where < 0).any():
            if unknown == "refuse":
                row = int(np.flatnonzero(lost)[0])
                raise BrainError(
                    f"{edges}, row {rows['row'][row]}: the neuron {rows[end][row]} is not in {neurons.name} "
                    f"({int(lost.sum()):,} such edges); add it, or pass unknown='drop'"
                )
            kept &= ~lost
    if not kept.all():
        source = source.after(f"dropped {int((~kept).sum()):,} edges of neurons without a row")
    made = Connectome(
        labels,
        ends[0][kept],
        ends[1][kept],
        rows["synapses"][kept],
        replace(source, files={**source.files, **checksums(neurons, edges)}),
        {kind: rows[kind][kept] for kind in of_edges.keep},
    )
    return made.with_unique_edges(duplicates, str(edges))


def read_edges(path: str | Path, columns: EdgeColumns) -> dict[str, NDArray[Any]]:
    """Return columns of a table of edges: `pre`, `post` (ids), `synapses`, `row` in the file, those to keep.

    Raises
    ------
    BrainError
        See `connectome_from_tables`.
    """
    import pandas as pd

    wanted = [columns.pre, columns.post, columns.synapses, *columns.keep.values(), *columns.only]
    frame = read_frame(path, list(dict.fromkeys(wanted)))
    for column, value in columns.only.items():
        values = frame[column].astype(str)
        if not (values == value).any():
            raise BrainError(f"{path}: no row has {value!r} in {column!r}; {nearest(value, set(values))}")
        frame = frame[values == value]
    counts = pd.to_numeric(frame[columns.synapses], errors="coerce").to_numpy(dtype=float)
    wrong = ~((counts >= 1) & (counts <= MOST_SYNAPSES) & (counts == np.rint(counts)))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BrainError(
            f"{path}, row {frame.index[row] + 2}: expected a positive whole number of synapses in "
            f"{columns.synapses!r}, got {_shown(frame[columns.synapses].iloc[row])}"
        )
    return {
        "pre": _ids(frame[columns.pre], path, columns.pre),
        "post": _ids(frame[columns.post], path, columns.post),
        "synapses": counts.astype(np.int32),
        "row": frame.index.to_numpy() + 2,
        **{kind: _text(frame[column]) for kind, column in columns.keep.items()},
    }


def connectome_from_matrix(
    path: str | Path,
    source: DataSource,
    *,
    orientation: Orientation,
    labels: Mapping[str, Sequence[str]] | None = None,
    ids: Sequence[str] | None = None,
    separator: str | None = ",",
) -> Connectome:
    """Read a connectome from an adjacency matrix of synapse counts.

    Parameters
    ----------
    path : path-like
        Text, one row of the matrix a line. Without `ids`, the first row and the first column are the ids.
    source : DataSource
    orientation : {"rows are pre", "columns are pre"}
        Has no default: files differ in it.
    labels : mapping of str to sequence of str, optional
        A value a neuron for each kind.
    ids : sequence of str, optional
        Of a matrix without header.
    separator : str or None
        None is white space.

    Raises
    ------
    BrainError
        When the matrix is not square, a cell is no whole number of at least 0, or labels do not fit.
    """
    import pandas as pd

    _check_choice("orientation", orientation, Orientation)
    path = expanded(path)
    _require_file(path)
    has_header = ids is None
    try:
        frame = pd.read_csv(
            path,
            sep=separator if separator is not None else r"\s+",
            header=0 if has_header else None,
            index_col=0 if has_header else None,
        )
    except (ValueError, OSError) as error:
        raise BrainError(f"{path}: expected a matrix, and it cannot be read ({error})") from None
    counts = _counts_of(frame, path, first_row=1 + has_header)
    if has_header:
        ids = _ids_of(frame, path)
    names = np.array(ids, dtype=str)
    if len(names) != len(counts):
        raise BrainError(f"{path}: expected {len(counts)} ids, one a row, got {len(names)}")
    if repeated := _first_repeated(names):
        raise BrainError(f"{path}: the neuron {repeated!r} is listed twice; expected one row a neuron")
    pre, post = np.nonzero(counts if orientation == "rows are pre" else counts.T)
    synapses = (counts if orientation == "rows are pre" else counts.T)[pre, post]
    made = replace(source, files={**source.files, **checksums(path)})
    texts = {kind: np.array(values, dtype=str) for kind, values in (labels or {}).items()}
    return Connectome({"id": names, **texts}, pre, post, synapses.astype(np.int32), made)


def _counts_of(frame: Any, path: Path, first_row: int) -> NDArray[np.float64]:
    """Return a square matrix of whole numbers."""
    import pandas as pd

    counts: NDArray[np.float64] = frame.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    if counts.shape[0] != counts.shape[1]:
        raise BrainError(f"{path}: expected a square matrix, got {counts.shape[0]} × {counts.shape[1]}")
    wrong = ~((counts >= 0) & (counts <= MOST_SYNAPSES) & (counts == np.rint(counts)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise BrainError(
            f"{path}, row {row + first_row}: expected whole numbers of at least 0, got "
            f"{_shown(frame.iat[int(row), int(column)])} in column {column + 1}"
        )
    return counts


def _ids_of(frame: Any, path: Path) -> list[str]:
    """Return the ids in the first row and the first column, which must be the same."""
    import pandas as pd

    across, down = _text(pd.Series(frame.columns)), _text(pd.Series(frame.index))
    if (across != down).any():
        differ = int(np.flatnonzero(across != down)[0])
        raise BrainError(
            f"{path}: expected the same ids in the first row and the first column, got "
            f"{str(across[differ])!r} and {str(down[differ])!r} at place {differ + 1}"
        )
    ids: list[str] = down.tolist()
    return ids


def _check_choice(name: str, value: str, kind: Any) -> None:
    if value not in kind.__args__:
        raise BrainError(f"{name}: unknown {value!r}; {nearest(value, kind.__args__)}")


def _ids(values: pd.Series[Any], path: str | Path, column: str) -> NDArray[Any]:
    """Return ids as text, or raise `BrainError` for an empty cell."""
    if (empty := values.isna().to_numpy()).any():
        row = int(values.index[np.flatnonzero(empty)[0]])
        raise BrainError(f"{path}, row {row + 2}: expected an id in {column!r}, got an empty cell")
    if values.dtype.kind == "f":
        raise BrainError(
            f"{path}: expected whole numbers or text in {column!r}, got decimal numbers, which cannot hold "
            f"long ids"
        )
    return values.to_numpy() if values.dtype.kind in "iu" else _text(values)


def _places(ids: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Return the row of each wanted id among the neurons, −1 for an unknown one.

    Ids of neurons are text; those of edges are numbers where the whole column is.
    """
    import pandas as pd

    if wanted.dtype.kind in "iu":
        try:
            ids = ids.astype(np.int64)
        except (ValueError, OverflowError):
            wanted = wanted.astype(str)
    places: NDArray[np.int64] = pd.Index(ids).get_indexer(pd.Index(wanted)).astype(np.int64)
    return places


def _text(values: pd.Series[Any]) -> NDArray[Any]:
    """Return values as stripped text; empty cells are empty texts."""
    texts = ["" if value is None or value != value else str(value).strip() for value in values.tolist()]
    return np.array(texts, dtype=str)


def _shown(value: Any) -> str:
    """Return a cell for messages."""
    return (
        "an empty cell" if value is None or value != value else repr(getattr(value, "item", lambda: value)())
    )


def _first_repeated(ids: NDArray[Any]) -> str:
    """Return the first id that comes a second time, or an empty text."""
    import pandas as pd

    repeated = pd.Index(ids).duplicated()
    return str(ids[np.flatnonzero(repeated)[0]]) if repeated.any() else ""
