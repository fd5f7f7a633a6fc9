"""Connectomes from tables and matrices: direction, thresholds, signs, faults told in one line."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from ethospike.brains.circuits.connectome import (
    Cells,
    EdgeColumns,
    NetworkOptions,
    NeuronColumns,
    SignRow,
    SignTable,
    connectome_from_matrix,
    connectome_from_tables,
    connectome_network,
)
from ethospike.brains.network import DataSource
from ethospike.errors import BrainError

SOURCE = DataSource("five neurons", "1", "public domain", "made by a test")
NEURONS = """id,class,side,pair,transmitter
720575940596125868,PN,L,12,ACH
12,PN,R,720575940596125868,ACH
3,KC,L,,ACH
4,KC,R,,ACH
5,APL,L,,GABA
"""
EDGES = """pre,post,synapses
720575940596125868,3,4
12,4,1
3,5,7
5,3,20
5,4,2
5,5,3
"""
LABELS = NeuronColumns("id", {name: name for name in ("class", "side", "pair", "transmitter")})


def five(tmp_path, neurons=NEURONS, edges=EDGES, **given):
    (tmp_path / "neurons.csv").write_text(neurons)
    (tmp_path / "edges.csv").write_text(edges)
    return connectome_from_tables(
        tmp_path / "neurons.csv", tmp_path / "edges.csv", SOURCE, neuron_columns=LABELS, **given
    )


def by_id(connectome):
    names = connectome.labels["id"]
    return {
        (str(names[a]), str(names[b])): int(n)
        for a, b, n in zip(connectome.pre, connectome.post, connectome.synapses, strict=True)
    }


SIGNS = SignTable.of("transmitter", {"ACH": 1, "GABA": -1}, "a test")
OPTIONS = NetworkOptions(0.5, 1.8, autapses="drop", cells={"": Cells("iaf_psc_exp")})


def test_edges_lead_from_pre_to_post_whatever_the_order_of_rows(tmp_path):
    header, *rows = EDGES.splitlines()
    shuffled = "\n".join([header, *rows[::-1]]) + "\n"
    expected = {tuple(row.split(",")[:2]): int(row.split(",")[2]) for row in rows}
    for edges in (EDGES, shuffled):
        assert by_id(five(tmp_path, edges=edges)) == expected


def test_network_has_signs_weights_and_direction_of_the_table(tmp_path):
    connectome = five(tmp_path)
    network = connectome_network(connectome, SIGNS.signs(connectome), OPTIONS)
    assert [(p.name, p.size) for p in network.populations] == [("PN", 2), ("KC", 2), ("APL", 1)]
    assert network.population("KC").labels["side"] == ["L", "R"]
    wired = {p.name: network.wire(p.name, 1, 0) for p in network.projections}
    assert sorted(wired) == ["APL>KC", "KC>APL", "PN>KC"]
    assert wired["PN>KC"].source.tolist() == [0, 1]
    assert wired["PN>KC"].target.tolist() == [0, 1]
    assert wired["PN>KC"].weight.tolist() == [2.0, 0.5]
    assert wired["APL>KC"].weight.tolist() == [-10.0, -1.0]
    assert set(wired["APL>KC"].delay_ms) == {1.8}
    (source,) = network.sources
    assert source.files.keys() == {"neurons.csv", "edges.csv"}
    assert any("1 autapses" in step for step in source.steps)


def test_one_population_keeps_the_neurons_in_their_order(tmp_path):
    connectome = five(tmp_path)
    options = NetworkOptions(0.5, 1.8, population=None, autapses="keep", cells={"": Cells("iaf_psc_exp")})
    network = connectome_network(connectome, SIGNS.signs(connectome), options)
    assert network.population("neurons").labels["id"] == connectome.labels["id"].tolist()
    wired = network.wire("neurons>neurons", 1, 0)
    assert (4, 4, -1.5) in set(zip(wired.source.tolist(), wired.target.tolist(), wired.weight, strict=True))


@pytest.mark.parametrize(("threshold", "edges"), [(1, 6), (2, 5), (3, 4), (7, 2), (20, 1)])
def test_threshold_keeps_edges_of_at_least_that_many_synapses(tmp_path, threshold, edges):
    connectome = five(tmp_path).at_least(threshold)
    assert connectome.n_edges == edges
    assert connectome.synapses.min() >= threshold


def test_thresholds_without_an_edge_are_refused(tmp_path):
    with pytest.raises(BrainError, match="the most are 20"):
        five(tmp_path).at_least(21)
    with pytest.raises(BrainError, match="at least 1 synapse, got 0"):
        five(tmp_path).at_least(0)


def test_autapses_need_a_policy(tmp_path):
    connectome = five(tmp_path)
    options = NetworkOptions(0.5, 1.8, cells={"": Cells()})
    with pytest.raises(BrainError, match="1 edges lead from a neuron to itself"):
        connectome_network(connectome, SIGNS.signs(connectome), options)


def test_unknown_signs_are_an_error_and_never_a_default(tmp_path):
    connectome = five(tmp_path, NEURONS.replace("GABA", "SER"))
    with pytest.raises(BrainError, match="no sign for the transmitter 'SER' of 1 neurons"):
        SIGNS.signs(connectome)
    connectome = five(tmp_path, NEURONS.replace("GABA", ""))
    with pytest.raises(BrainError, match="an empty label"):
        SIGNS.signs(connectome)


def test_neurons_without_fast_synapses_keep_no_edges(tmp_path):
    connectome = five(tmp_path)
    table = SignTable.of("transmitter", {"ACH": 1, "GABA": 0}, "a test")
    network = connectome_network(connectome, table.signs(connectome), OPTIONS)
    assert [p.name for p in network.projections] == ["PN>KC", "KC>APL"]


def test_drawn_signs_have_the_share_and_are_one_for_a_pair(tmp_path):
    rows = [f"{2 * i},PN,L,{2 * i + 1},ACH\n{2 * i + 1},PN,R,{2 * i},ACH" for i in range(50)]
    neurons = "id,class,side,pair,transmitter\n" + "\n".join(rows) + "\n"
    connectome = five(tmp_path, neurons, "pre,post,synapses\n0,1,1\n2,1,3\n")
    table = SignTable("class", (SignRow("PN", 0.4, "assumed: a test"),))
    signs = table.signs(connectome, seed=1)
    assert (signs == -1).sum() == 40
    assert (signs[::2] == signs[1::2]).all()
    assert (table.signs(connectome, seed=2) != signs).any()
    assert table.assumed_share(connectome) == 1.0


def test_share_of_assumed_signs_counts_synapses_with_an_effect(tmp_path):
    connectome = five(tmp_path)
    rows = (
        SignRow("PN", 0.0, "a publication"),
        SignRow("KC", 0.0, "assumed"),
        SignRow("APL", None, "assumed"),
    )
    assert SignTable("class", rows).assumed_share(connectome) == 7 / 12


def test_sign_tables_are_read_from_files(tmp_path):
    path = tmp_path / "signs.csv"
    path.write_text("value,inhibitory,source\nPN,0,paper\nKC,0.5,assumed\nAPL,,assumed\n")
    table = SignTable.read(path, "class")
    assert [row.inhibitory for row in table.rows] == [0.0, 0.5, None]
    path.write_text("value,inhibitory,source\nPN,minus,paper\n")
    with pytest.raises(BrainError, match="row 2: 'minus' is no number"):
        SignTable.read(path, "class")
    path.write_text("value,inhibitory,source\nPN,2,paper\n")
    with pytest.raises(BrainError, match=r"row 2: .*share in 0 … 1"):
        SignTable.read(path, "class")


def test_parts_of_an_edge_are_added_where_asked(tmp_path):
    edges = EDGES + "3,5,5\n"
    with pytest.raises(BrainError, match="3 → 5 is listed twice"):
        five(tmp_path, edges=edges)
    assert by_id(five(tmp_path, edges=edges, duplicates="add"))["3", "5"] == 12


def test_edges_of_one_type_are_chosen(tmp_path):
    edges = "pre,post,type,synapses\n3,5,electrical,2\n3,5,chemical,4\n"
    connectome = five(tmp_path, edges=edges, edge_columns=EdgeColumns(only={"type": "chemical"}))
    assert by_id(connectome) == {("3", "5"): 4}
    with pytest.raises(BrainError, match="no row has 'chemica' in 'type'; did you mean 'chemical'"):
        five(tmp_path, edges=edges, edge_columns=EdgeColumns(only={"type": "chemica"}))


def test_packed_and_tab_separated_tables_are_read(tmp_path):
    with gzip.open(tmp_path / "edges.csv.gz", "wt") as file:
        file.write(EDGES.replace(",", "\t"))
    (tmp_path / "neurons.csv").write_text(NEURONS)
    connectome = connectome_from_tables(tmp_path / "neurons.csv", tmp_path / "edges.csv.gz", SOURCE)
    assert connectome.n_synapses == 37


@pytest.mark.parametrize(
    ("neurons", "edges", "message"),
    [
        (
            NEURONS.replace("class", "clas"),
            EDGES,
            r"neurons\.csv: expected a column 'class'; did you mean 'clas'",
        ),
        (NEURONS, EDGES.replace("post", "target"), r"edges\.csv: expected a column 'post'"),
        (NEURONS + "3,KC,L,,ACH\n", EDGES, "the neuron '3' is listed twice"),
        (NEURONS + ",KC,L,,ACH\n", EDGES, r"neurons\.csv, row 7: expected an id in 'id', got an empty cell"),
        (NEURONS, EDGES + "99,3,1\n", r"edges\.csv, row 8: the neuron 99 is not in neurons\.csv"),
        (NEURONS, EDGES + "abc,3,1\n", r"edges\.csv, row 8: the neuron abc is not in neurons\.csv"),
        (NEURONS, EDGES + ",3,1\n", r"row 8: expected an id in 'pre', got an empty cell"),
        (NEURONS, EDGES + "4,3,\n", r"row 8: expected a positive whole number of synapses .* an empty cell"),
        (NEURONS, EDGES + "4,3,nan\n", r"row 8: expected a positive whole number"),
        (NEURONS, EDGES + "4,3,1.5\n", r"row 8: .* got 1\.5"),
        (NEURONS, EDGES + "4,3,-2\n", r"row 8: .* got -2"),
        (NEURONS, EDGES + "4,3,0\n", r"row 8: .* got 0"),
        (NEURONS, EDGES + "4,3,many\n", r"row 8: .* got 'many'"),
        (NEURONS, "pre,post,synapses\n", "expected at least one row below the header"),
        ("id,class,side,pair,transmitter\n", EDGES, "expected at least one row below the header"),
        (NEURONS, "", "it cannot be read"),
    ],
)
def test_malformed_tables_are_told_in_one_line(tmp_path, neurons, edges, message):
    with pytest.raises(BrainError, match=message) as caught:
        five(tmp_path, neurons, edges)
    assert "\n" not in str(caught.value)


def test_absent_files_and_unknown_choices_are_told(tmp_path):
    with pytest.raises(BrainError, match="there is no such file"):
        connectome_from_tables(tmp_path / "a.csv", tmp_path / "b.csv", SOURCE)
    with pytest.raises(BrainError, match="duplicates: unknown 'sum'"):
        five(tmp_path, duplicates="sum")


def test_dropped_edges_are_counted_in_the_source(tmp_path):
    connectome = five(tmp_path, edges=EDGES + "99,3,1\n", unknown="drop")
    assert connectome.n_edges == 6
    assert "dropped 1 edges of neurons without a row" in connectome.source.steps


MATRIX = "id,a,b,c\na,0,2,0\nb,0,0,5\nc,1,0,0\n"


def test_matrix_has_the_stated_orientation(tmp_path):
    path = tmp_path / "matrix.csv"
    path.write_text(MATRIX)
    rows = by_id(connectome_from_matrix(path, SOURCE, orientation="rows are pre"))
    columns = by_id(connectome_from_matrix(path, SOURCE, orientation="columns are pre"))
    assert rows == {("a", "b"): 2, ("b", "c"): 5, ("c", "a"): 1}
    assert columns == {(b, a): n for (a, b), n in rows.items()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a,b\na,0,1\n", "expected a square matrix, got 1 × 2"),
        ("id,a,b\na,0,x\nb,0,0\n", "row 2: expected whole numbers of at least 0, got 'x' in column 2"),
        (
            "id,a,b\na,0,\nb,0,0\n",
            "row 2: expected .* got an empty cell in column 2",
        ),
        ("id,a,b\na,0,-1\nb,0,0\n", "row 2: expected whole numbers"),
        ("id,a,b\nb,0,1\na,0,0\n", "same ids in the first row and the first column, got 'a' and 'b'"),
    ],
)
def test_malformed_matrices_are_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "matrix.csv"
    path.write_text(text)
    with pytest.raises(BrainError, match=message) as caught:
        connectome_from_matrix(path, SOURCE, orientation="rows are pre")
    assert "\n" not in str(caught.value)


def test_files_that_are_none_are_told_in_one_line(tmp_path):
    neurons, edges = tmp_path / "neurons.csv", tmp_path / "edges.csv.gz"
    neurons.write_text(NEURONS)
    packed = gzip.compress(EDGES.encode() * 50)
    for content, message in ((packed[:30], "it cannot be read"), (EDGES.encode(), "it cannot be read")):
        edges.write_bytes(content)
        with pytest.raises(BrainError, match=message) as caught:
            connectome_from_tables(neurons, edges, SOURCE)
        assert "\n" not in str(caught.value)
    with pytest.raises(BrainError, match="expected a file, and it is a folder"):
        connectome_from_tables(neurons, tmp_path, SOURCE)


def test_semicolons_marks_and_large_ids_are_read(tmp_path):
    neurons, edges = tmp_path / "neurons.csv", tmp_path / "edges.csv"
    neurons.write_bytes(b"\xef\xbb\xbfid;class\r\n18446744073709551615;KC\r\n2;KC\r\n")
    edges.write_bytes(b"\xef\xbb\xbfpre;post;synapses\r\n18446744073709551615;2;3\r\n")
    connectome = connectome_from_tables(neurons, edges, SOURCE)
    assert connectome.labels["id"][connectome.pre[0]] == "18446744073709551615"
    assert connectome.n_synapses == 3


def test_exchanged_direction_is_noticed(tmp_path):
    connectome = five(tmp_path)
    connectome.check_direction("class", "PN", "KC")
    with pytest.raises(BrainError, match="are pre and post exchanged"):
        connectome.check_direction("class", "KC", "PN")


def test_parts_keep_edges_between_their_neurons(tmp_path):
    connectome = five(tmp_path)
    part = connectome.part(np.array([4, 2]), "a part")
    assert part.labels["id"].tolist() == ["5", "3"]
    assert by_id(part) == {("3", "5"): 7, ("5", "3"): 20, ("5", "5"): 3}


def test_too_many_projections_are_refused(tmp_path, monkeypatch):
    from ethospike.brains.circuits.connectome import network

    monkeypatch.setattr(network, "MOST_PROJECTIONS", 2)
    connectome = five(tmp_path)
    with pytest.raises(BrainError, match="choose a coarser label, or population=None"):
        connectome_network(connectome, SIGNS.signs(connectome), OPTIONS)


def test_empty_classes_are_refused(tmp_path):
    connectome = five(tmp_path, NEURONS.replace("12,PN", "12,"))
    with pytest.raises(BrainError, match="the neuron 12 has an empty class"):
        connectome_network(connectome, SIGNS.signs(connectome), OPTIONS)
