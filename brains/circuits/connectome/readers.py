"""Readers of published connectomes, whose files users download: each knows layout, direction and licence."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.circuits.connectome.tables import (
    EdgeColumns,
    NeuronColumns,
    connectome_from_matrix,
    connectome_from_tables,
    connectome_of_cells,
    read_frame,
)
from ethospike.brains.network import DataSource
from ethospike.errors import BrainError
from ethospike.paths import expanded

WINDING = DataSource(
    "Winding et al. 2023, whole larval brain",
    "neurodata/bilateral-connectome 2f56a81",
    "MIT (the repository from which the tables come)",
    "Winding et al. 2023, The connectome of an insect brain, Science 379:eadd9330",
    "https://github.com/neurodata/bilateral-connectome",
)
EICHLER = DataSource(
    "Eichler et al. 2017, larval mushroom body",
    "files in the wheel of graspologic",
    "MIT (graspologic)",
    "Eichler et al. 2017, The complete connectome of a learning and memory centre in an insect brain, Nature "
    "548:175",
    "https://github.com/graspologic-org/graspologic",
)
ELEGANS = DataSource(
    "White et al. 1986, C. elegans",
    "files in the wheel of cect",
    "MIT (cect)",
    "White et al. 1986, Phil Trans R Soc B 314:1",
    "https://github.com/openworm/ConnectomeToolbox",
)
FLYWIRE = DataSource(
    "FlyWire, whole brain of an adult female fly",
    "783",
    "CC BY-NC 4.0 (FlyWire's terms of use)",
    "Dorkenwald et al. 2024, Nature 634:124; Schlegel et al. 2024, Nature 634:139",
    "https://codex.flywire.ai",
)
SHIU = DataSource(
    "Shiu et al. 2024, FlyWire as the point model uses it",
    "783",
    "CC BY-NC 4.0 (FlyWire's terms of use)",
    "Shiu et al. 2024, Nature 634:210; Dorkenwald et al. 2024, Nature 634:124",
    "https://github.com/philshiu/Drosophila_brain_model",
)
MALE_CNS = DataSource(
    "MaleCNS, central nervous system of an adult male fly",
    "1.0",
    "CC BY 4.0",
    "Berg et al. 2026, Cell 189:5504",
    "https://male-cns.janelia.org/download",
)

_WINDING_LABELS = {
    "name": "name",
    "class": "class1",
    "subclass": "class2",
    "group": "simple_group",
    "side": "hemisphere",
    "pair": "pair",
}


def read_winding(folder: str | Path) -> Connectome:
    """Read the whole brain of a larva: `neurons.csv` and `edges.csv`.

    Kinds of labels: id, name, class, subclass, group, side (L or R), pair (id of the partner). Edges hold all
    synapses, those onto axons included. 3,013 neurons, 111,243 edges of which 537 are autapses.

    Parameters
    ----------
    folder : path-like
        With `neurons.csv` (id, name, hemisphere, simple_group, class1, class2, pair) and `edges.csv` (pre,
        post, synapses), which are columns of `unmatched_full_nodes.csv` and `unmatched_full_edgelist.csv`.
    """
    folder = _folder(folder)
    made = connectome_from_tables(
        folder / "neurons.csv",
        folder / "edges.csv",
        WINDING,
        neuron_columns=NeuronColumns("id", _WINDING_LABELS),
    )
    made.check_direction("class", "KC", "MBON")
    return made


def read_winding_matrix(matrix: str | Path, annotations: str | Path) -> Connectome:
    """Read a matrix of the paper's supplement, with ids in its first row and column, and annotations.

    Parameters
    ----------
    matrix : path-like
        Such as `ad_connectivity_matrix.csv` (axon to dendrite); rows are presynaptic.
    annotations : path-like
        A table of neurons with the columns of `read_winding`.
    """
    made = connectome_from_matrix(matrix, WINDING, orientation="rows are pre")
    columns = ["id", *_WINDING_LABELS.values()]
    cells = read_frame(annotations, columns, dtype=str, keep_default_na=False).set_index("id")
    missing = [name for name in made.labels["id"].tolist() if name not in cells.index]
    if missing:
        raise BrainError(f"{annotations}: no row for the neuron {missing[0]!r} ({len(missing)} such neurons)")
    cells = cells.loc[made.labels["id"].tolist()]
    for kind, column in _WINDING_LABELS.items():
        made = made.with_label(kind, cells[column].to_numpy(dtype=str))
    return made


EICHLER_CLASSES = {"K": "KC", "P": "PN", "O": "MBON", "I": "MBIN"}
"""Letters of the label files."""


def read_eichler(folder: str | Path, side: Literal["left", "right"]) -> Connectome:
    """Read a hemisphere of the larval mushroom body from the files in the wheel of graspologic.

    Kinds of labels: id (place in the file), class (KC, PN, MBON, MBIN; the files have no names), side.

    Parameters
    ----------
    folder : path-like
        The unpacked wheel, or its folder `graspologic/datasets/drosophila`, with `left_adjacency.csv` and
        `left_cell_labels.csv` (or `right_…`).
    side : {"left", "right"}
    """
    if side not in ("left", "right"):
        raise BrainError(f"read_eichler: expected the side 'left' or 'right', got {side!r}")
    folder = _folder(folder)
    inner = folder / "graspologic" / "datasets" / "drosophila"
    folder = inner if inner.is_dir() else folder
    path = folder / f"{side}_cell_labels.csv"
    if not path.is_file():
        raise BrainError(f"{path}: there is no such file; expected the unpacked wheel of graspologic")
    letters = path.read_text("utf-8-sig", "replace").split()
    if unknown := [letter for letter in letters if letter not in EICHLER_CLASSES]:
        raise BrainError(f"{path}: expected the letters {', '.join(EICHLER_CLASSES)}, got {unknown[0]!r}")
    classes = [EICHLER_CLASSES[letter] for letter in letters]
    labels = {"class": classes, "side": [side[0].upper()] * len(classes)}
    made = connectome_from_matrix(
        folder / f"{side}_adjacency.csv",
        EICHLER,
        orientation="rows are pre",
        labels=labels,
        ids=[f"{side}-{row}" for row in range(len(classes))],
        separator=None,
    )
    made.check_direction("class", "PN", "KC")
    made.check_direction("class", "KC", "MBON")
    return made


def read_elegans(folder: str | Path) -> Connectome:
    """Read the chemical synapses of *C. elegans* (White et al. 1986) from the wheel of cect.

    Kinds of labels: id (the name), class (`Type` of the table of cells), side (L, R or empty, from the name).
    Electrical contacts, muscles, and neurons without a chemical synapse are left out.

    Parameters
    ----------
    folder : path-like
        The unpacked wheel, or its folder `cect/data`, with `aconnectome_white_1986_whole.csv` (pre, post,
        type, synapses) and `all_cell_info.csv` (Cell name, Type).
    """
    folder = _folder(folder)
    inner = folder / "cect" / "data"
    folder = inner if inner.is_dir() else folder
    cells = folder / "all_cell_info.csv"
    if not cells.is_file():
        raise BrainError(f"{cells}: there is no such file; expected the unpacked wheel of cect")
    with cells.open(newline="", encoding="utf-8-sig") as file:  # some of its lines have too many columns
        header, *rows = csv.reader(file)
    if header[:2] != ["Cell name", "Type"]:
        raise BrainError(f"{cells}: expected the columns 'Cell name' and 'Type' first, got {header[:2]}")
    made = connectome_of_cells(
        {kind: np.array([row[place] for row in rows]) for place, kind in enumerate(("id", "class"))},
        cells,
        folder / "aconnectome_white_1986_whole.csv",
        ELEGANS,
        edge_columns=EdgeColumns(only={"type": "chemical"}),
        unknown="drop",
    )
    connected = np.zeros(made.n_neurons, dtype=bool)
    connected[made.pre] = connected[made.post] = True
    names = made.labels["id"].tolist()
    known = set(names)
    sides = [name[-1] if {f"{name[:-1]}L", f"{name[:-1]}R"} <= known else "" for name in names]
    return made.with_label("side", np.array(sides)).part(connected, "cells with chemical synapses")


FLYWIRE_LABELS = {
    "flow": "flow",
    "superclass": "super_class",
    "class": "class",
    "subclass": "sub_class",
    "side": "side",
}


def read_flywire(folder: str | Path) -> Connectome:
    """Read FlyWire 783 from the downloads of Codex.

    Kinds of labels: id (root id), flow, superclass, class, subclass, side, transmitter (of the neuron). An
    edge is the sum over neuropils of at least five synapses, as in the download.

    Parameters
    ----------
    folder : path-like
        With `classification.csv.gz`, `neurons.csv.gz` (root_id, nt_type) and `connections.csv.gz`
        (pre_root_id, post_root_id, neuropil, syn_count, nt_type), also unpacked.
    """
    folder = _folder(folder)
    cells, connections, types = (
        _packed(folder, name) for name in ("classification.csv", "connections.csv", "neurons.csv")
    )
    made = connectome_from_tables(
        cells,
        connections,
        FLYWIRE,
        neuron_columns=NeuronColumns("root_id", FLYWIRE_LABELS),
        edge_columns=EdgeColumns("pre_root_id", "post_root_id", "syn_count"),
        duplicates="add",
        unknown="drop",
    )
    frame = read_frame(types, ["root_id", "nt_type"], dtype=str, keep_default_na=False)
    transmitter = dict(zip(frame["root_id"], frame["nt_type"], strict=True))
    values = np.array([transmitter.get(name, "") for name in made.labels["id"].tolist()], dtype=str)
    return made.with_label("transmitter", values)


def read_shiu(folder: str | Path, version: str = "783") -> tuple[Connectome, NDArray[np.int8]]:
    """Read the files of the point model of Shiu et al. 2024: neurons, edges, and signs of edges' sources.

    Returns
    -------
    connectome : Connectome
    signs : ndarray of int8, shape (neurons,)
        +1 or −1 as in the file's column `Excitatory`; neurons without edges get +1.

    Raises
    ------
    BrainError
        Also when the edges of a neuron differ in sign.
    """
    folder = _folder(folder)
    neurons = folder / f"Completeness_{version}.csv"
    edges = folder / f"Connectivity_{version}.parquet"
    columns = ["Presynaptic_Index", "Postsynaptic_Index", "Connectivity", "Excitatory"]
    ids = (
        read_frame(neurons, ["Completed"], index_col=0, dtype={0: str}).index.astype(str).to_numpy(dtype=str)
    )
    frame = read_frame(edges, columns)
    pre, post = (frame[name].to_numpy(dtype=np.int64) for name in columns[:2])
    for name, places in (("Presynaptic_Index", pre), ("Postsynaptic_Index", post)):
        if len(outside := np.flatnonzero((places < 0) | (places >= len(ids)))):
            row = int(outside[0])
            raise BrainError(
                f"{edges}, row {row + 1}: expected {name} in 0 … {len(ids) - 1}, got {places[row]}"
            )
    sign = np.sign(frame["Excitatory"].to_numpy()).astype(np.int8)
    signs = np.ones(len(ids), dtype=np.int8)
    signs[pre] = sign
    if len(mixed := np.flatnonzero(signs[pre] != sign)):
        raise BrainError(f"{edges}: the edges of the neuron {ids[pre[mixed[0]]]} differ in sign")
    made = Connectome(
        {"id": ids}, pre, post, frame["Connectivity"].to_numpy(dtype=np.int32), SHIU
    ).with_unique_edges("refuse", str(edges))
    return made, signs


MALE_CNS_LABELS = {"type": "type", "superclass": "superclass", "side": "somaSide"}


def read_male_cns(annotations: str | Path, transmitters: str | Path, weights: str | Path) -> Connectome:
    """Read MaleCNS 1.0 from its flat files (Feather, which needs pyarrow; or the same as CSV).

    Kinds of labels: id (body), type, superclass, side, transmitter (consensus). Bodies without annotation are
    left out with their edges.

    Parameters
    ----------
    annotations : path-like
        `body-annotations-…`: bodyId, type, superclass, somaSide.
    transmitters : path-like
        `body-neurotransmitters-…`: body, consensus_nt.
    weights : path-like
        `connectome-weights-…`: body_pre, body_post, weight.
    """
    made = connectome_from_tables(
        annotations,
        weights,
        MALE_CNS,
        neuron_columns=NeuronColumns("bodyId", MALE_CNS_LABELS),
        edge_columns=EdgeColumns("body_pre", "body_post", "weight"),
        unknown="drop",
    )
    frame = read_frame(transmitters, ["body", "consensus_nt"])
    known = dict(zip(frame["body"].astype(str), frame["consensus_nt"].astype(str), strict=True))
    values = np.array([known.get(name, "") for name in made.labels["id"].tolist()], dtype=str)
    return made.with_label("transmitter", np.where(values == "nan", "", values))


def _folder(folder: str | Path) -> Path:
    folder = expanded(folder)
    if not folder.is_dir():
        raise BrainError(f"{folder}: expected a folder with the files of the connectome, there is none")
    return folder


def _packed(folder: Path, name: str) -> Path:
    """Return a CSV file of a folder, packed or not."""
    return folder / name if (folder / name).is_file() else folder / f"{name}.gz"
