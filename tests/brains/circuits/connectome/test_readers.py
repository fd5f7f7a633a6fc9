"""Readers of published connectomes: small tables in the documented layouts, and the real files if given.

The real files are looked for in the folder of the environment variable `ETHOSPIKE_CONNECTOMES`, in
sub-folders: `winding`, `eichler`, `elegans`, `shiu`. Numbers expected of them are those that their authors
report, or counts of the files' lines.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ethospike.brains.circuits.connectome import (
    read_eichler,
    read_elegans,
    read_flywire,
    read_male_cns,
    read_shiu,
    read_winding,
    read_winding_matrix,
)
from ethospike.brains.circuits.connectome.fly import TRANSMITTER_SIGNS
from ethospike.errors import BrainError

HOME = os.environ.get("ETHOSPIKE_CONNECTOMES")


def real(name):
    folder = Path(HOME or "") / name
    if HOME is None or not folder.is_dir():
        pytest.skip(f"no folder {name!r} in ETHOSPIKE_CONNECTOMES")
    return folder


def edges_of(connectome):
    names = connectome.labels["id"]
    return {
        (str(names[a]), str(names[b])): int(n)
        for a, b, n in zip(connectome.pre, connectome.post, connectome.synapses, strict=True)
    }


# -- documented layouts -----------------------------------------------------------------------------------

WINDING_NEURONS = """id,name,hemisphere,simple_group,class1,class2,merge_class,celltype_discrete,pair
10,KC1,L,KCs,KC,1claw,KC-1claw,KC,11
11,KC1,R,KCs,KC,1claw,KC-1claw,KC,10
20,MBE11a left,L,MBONs,MBON,app,MBON-app,MBON,
"""


def winding(tmp_path, edges="pre,post,synapses\n10,20,5\n11,20,1\n20,10,2\n"):
    (tmp_path / "neurons.csv").write_text(WINDING_NEURONS)
    (tmp_path / "edges.csv").write_text(edges)
    return tmp_path


def test_winding_keeps_names_sides_and_pairs(tmp_path):
    connectome = read_winding(winding(tmp_path))
    assert connectome.labels["name"].tolist() == ["KC1", "KC1", "MBE11a left"]
    assert connectome.labels["side"].tolist() == ["L", "R", "L"]
    assert connectome.labels["pair"].tolist() == ["11", "10", ""]
    assert edges_of(connectome) == {("10", "20"): 5, ("11", "20"): 1, ("20", "10"): 2}
    assert "Science 379:eadd9330" in connectome.source.citation


def test_winding_with_exchanged_columns_is_noticed(tmp_path):
    with pytest.raises(BrainError, match="are pre and post exchanged"):
        read_winding(winding(tmp_path, "post,pre,synapses\n10,20,5\n11,20,1\n20,10,2\n"))


def test_winding_matrix_gets_its_labels_from_the_annotations(tmp_path):
    winding(tmp_path)
    (tmp_path / "ad.csv").write_text("id,20,10\n20,0,2\n10,5,0\n")
    connectome = read_winding_matrix(tmp_path / "ad.csv", tmp_path / "neurons.csv")
    assert connectome.labels["class"].tolist() == ["MBON", "KC"]
    assert edges_of(connectome) == {("20", "10"): 2, ("10", "20"): 5}
    (tmp_path / "ad.csv").write_text("id,20,99\n20,0,2\n99,5,0\n")
    with pytest.raises(BrainError, match="no row for the neuron '99'"):
        read_winding_matrix(tmp_path / "ad.csv", tmp_path / "neurons.csv")


def eichler(folder, matrix="0 6 0 0\n1 0 4 0\n0 0 0 0\n0 2 0 0\n", letters="P\nK\nO\nI\n"):
    folder.mkdir(parents=True)
    (folder / "left_adjacency.csv").write_text(matrix)
    (folder / "left_cell_labels.csv").write_text(letters)


@pytest.mark.parametrize("inner", ["", "graspologic/datasets/drosophila"])
def test_eichler_reads_the_wheel_or_its_folder(tmp_path, inner):
    eichler(tmp_path / "files" / inner)
    connectome = read_eichler(tmp_path / "files", "left")
    assert connectome.labels["class"].tolist() == ["PN", "KC", "MBON", "MBIN"]
    assert edges_of(connectome)["left-0", "left-1"] == 6
    assert edges_of(connectome)["left-3", "left-1"] == 2
    with pytest.raises(BrainError, match=r"right_cell_labels\.csv: there is no such file"):
        read_eichler(tmp_path / "files", "right")
    with pytest.raises(BrainError, match="'left' or 'right', got 'both'"):
        read_eichler(tmp_path / "files", "both")


def test_eichler_with_other_letters_or_lengths_is_refused(tmp_path):
    eichler(tmp_path / "a", letters="P\nK\nO\nX\n")
    with pytest.raises(BrainError, match="got 'X'"):
        read_eichler(tmp_path / "a", "left")
    eichler(tmp_path / "b", letters="P\nK\nO\n")
    with pytest.raises(BrainError, match="expected 4 ids, one a row, got 3"):
        read_eichler(tmp_path / "b", "left")


def test_elegans_has_chemical_synapses_of_neurons(tmp_path):
    names = "".join(f"{name},Interneuron,x\n" for name in ("ADAL", "ADAR", "AVG", "XXX"))
    cells = f"Cell name,Type,Name details\n{names}Line,with,too,many,columns\n"
    (tmp_path / "all_cell_info.csv").write_text(cells)
    edges = (
        "pre post type synapses\nADAL ADAR chemical 2\nADAL ADAR electrical 9\nADAR AVG chemical 1\n"
        "ADAR Muscle chemical 4\n"
    ).replace(" ", "\t")
    (tmp_path / "aconnectome_white_1986_whole.csv").write_text(edges)
    connectome = read_elegans(tmp_path)
    assert connectome.labels["id"].tolist() == ["ADAL", "ADAR", "AVG"]
    assert connectome.labels["side"].tolist() == ["L", "R", ""]
    assert edges_of(connectome) == {("ADAL", "ADAR"): 2, ("ADAR", "AVG"): 1}


def test_flywire_adds_neuropils_and_takes_the_transmitter_of_the_neuron(tmp_path):
    a, b, c = "720575940596125868", "720575940597856265", "720575940597944841"
    (tmp_path / "classification.csv").write_text(
        "root_id,flow,super_class,class,sub_class,hemilineage,side,nerve\n"
        + "".join(f"{name},intrinsic,central,,,x,left,\n" for name in (a, b))
    )
    (tmp_path / "neurons.csv").write_text(f"root_id,group,nt_type\n{a},x,GABA\n{b},x,ACH\n")
    (tmp_path / "connections.csv").write_text(
        "pre_root_id,post_root_id,neuropil,syn_count,nt_type\n"
        f"{a},{b},GNG,7,GABA\n{a},{b},SAD,5,GABA\n{b},{a},GNG,6,ACH\n{c},{a},GNG,6,ACH\n"
    )
    connectome = read_flywire(tmp_path)
    assert edges_of(connectome) == {(a, b): 12, (b, a): 6}
    assert TRANSMITTER_SIGNS.signs(connectome).tolist() == [-1, 1]
    assert connectome.source.version == "783"


def test_male_cns_reads_its_flat_tables(tmp_path):
    annotations, transmitters, weights = (tmp_path / f"{name}.csv" for name in "atw")
    annotations.write_text("bodyId,type,superclass,somaSide\n10001,DNge104,descending,L\n10002,KCg,cb,R\n")
    transmitters.write_text("body,consensus_nt\n10001,glutamate\n10002,acetylcholine\n")
    weights.write_text("body_pre,body_post,weight\n10001,10002,4\n10002,10001,3\n10002,77,9\n")
    connectome = read_male_cns(annotations, transmitters, weights)
    assert edges_of(connectome) == {("10001", "10002"): 4, ("10002", "10001"): 3}
    assert TRANSMITTER_SIGNS.signs(connectome).tolist() == [-1, 1]


def shiu(tmp_path, excitatory=(1, 1, -1)):
    pytest.importorskip("pyarrow")
    (tmp_path / "Completeness_783.csv").write_text(",Completed\n720575940596125868,True\n7,True\n8,True\n")
    pd.DataFrame(
        {
            "Presynaptic_Index": [0, 0, 2],
            "Postsynaptic_Index": [1, 2, 0],
            "Connectivity": [3, 5, 2],
            "Excitatory": excitatory,
        }
    ).to_parquet(tmp_path / "Connectivity_783.parquet")
    return tmp_path


def test_shiu_reads_indices_and_signs(tmp_path):
    connectome, signs = read_shiu(shiu(tmp_path))
    assert signs.tolist() == [1, 1, -1]
    assert edges_of(connectome) == {
        ("720575940596125868", "7"): 3,
        ("720575940596125868", "8"): 5,
        ("8", "720575940596125868"): 2,
    }


def test_shiu_with_mixed_signs_of_a_neuron_is_refused(tmp_path):
    with pytest.raises(BrainError, match="edges of the neuron 720575940596125868 differ in sign"):
        read_shiu(shiu(tmp_path, (1, -1, -1)))


def test_folders_that_are_not_there_are_told(tmp_path):
    for read in (read_winding, read_elegans, read_flywire, read_shiu):
        with pytest.raises(BrainError, match="expected a folder with the files"):
            read(tmp_path / "none")


@pytest.mark.parametrize(
    "reading",
    [
        test_winding_keeps_names_sides_and_pairs,
        test_winding_matrix_gets_its_labels_from_the_annotations,
        lambda folder: test_eichler_reads_the_wheel_or_its_folder(folder, ""),
        test_elegans_has_chemical_synapses_of_neurons,
        test_flywire_adds_neuropils_and_takes_the_transmitter_of_the_neuron,
        test_male_cns_reads_its_flat_tables,
        test_shiu_reads_indices_and_signs,
    ],
    ids=["winding", "winding matrix", "eichler", "elegans", "flywire", "male cns", "shiu"],
)
def test_files_that_a_spreadsheet_saved_with_a_mark_are_read_alike(reading, tmp_path, monkeypatch):
    """The first column, or the first letter, had another name."""
    write = Path.write_text
    monkeypatch.setattr(Path, "write_text", lambda file, text: write(file, text, "utf-8-sig"))
    reading(tmp_path)


# -- the real files ---------------------------------------------------------------------------------------


def test_real_winding():
    connectome = read_winding(real("winding"))
    assert (connectome.n_neurons, connectome.n_edges, connectome.n_synapses) == (3013, 111_243, 353_859)
    assert connectome.autapses.sum() == 537
    classes, counts = np.unique(connectome.labels["class"], return_counts=True)
    sizes = dict(zip(classes.tolist(), counts.tolist(), strict=True))
    assert [sizes[name] for name in ("KC", "MBON", "MBIN", "APL")] == [153, 48, 28, 2]
    assert (connectome.labels["subclass"] == "ORN").sum() == 42
    connectome.check_direction("group", "sensories", "PNs")


@pytest.mark.parametrize(("side", "neurons"), [("left", 209), ("right", 213)])
def test_real_eichler(side, neurons):
    connectome = read_eichler(real("eichler"), side)
    assert connectome.n_neurons == neurons


def test_real_elegans():
    connectome = read_elegans(real("elegans"))
    assert 270 <= connectome.n_neurons <= 302
    assert connectome.n_edges > 2000


def test_real_shiu():
    connectome, signs = read_shiu(real("shiu"))
    assert connectome.n_neurons == 138_639
    assert set(signs.tolist()) == {-1, 1}
