"""The larva's measured brain: roles, weights, modulators, and Eichler's counts on named neurons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_larva import N_CELLS, scrambled_eichler, small_larva, write_winding

from ethospike.brains.circuits.connectome.larva import (
    LarvaBrainConfig,
    larva_network,
    modulators,
    mushroom_body_part,
    receptor_of,
    with_roles,
)
from ethospike.brains.circuits.connectome.larva_signs import LARVA_SIGNS
from ethospike.brains.circuits.connectome.matching import eichler_on_winding
from ethospike.brains.circuits.connectome.measured import CIRCUITS, measured_network
from ethospike.brains.circuits.connectome.signs import SignTable
from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig
from ethospike.errors import BrainError


def brain():
    return with_roles(small_larva())


def sums(network, projection):
    """Return the summed weight of each target's synapses."""
    wired = network.wire(projection, 1, 0)
    size = network.population(network.projection(projection).target).size
    return np.bincount(wired.target, weights=wired.weight, minlength=size)


def test_roles_come_from_classes_and_names():
    connectome = brain()
    roles, names = connectome.labels["role"], connectome.labels["name"]
    assert set(roles[np.char.startswith(names, "MBE5")].tolist()) == {"MBONn"}
    assert set(roles[np.char.startswith(names, "MBE6")].tolist()) == {"MBONp"}
    assert set(roles[np.char.startswith(names, "MBE1b")].tolist()) == {"DANp"}
    assert set(roles[np.char.startswith(names, "MBE4a")].tolist()) == {"DANn"}
    assert set(roles[np.char.startswith(names, "MBE9a")].tolist()) == {"MBIN"}


def test_brains_without_a_role_are_refused():
    connectome = small_larva()
    labels = {**connectome.labels, "subclass": np.where(connectome.labels["subclass"] == "DAN", "", "")}
    with pytest.raises(BrainError, match="expected neurons of the role 'ORN', found none"):
        with_roles(replace(connectome, labels=labels))


def test_dopaminergic_neurons_modulate_the_output_neurons_that_they_reach():
    connectome = brain()
    roles = connectome.labels["role"]
    reached = modulators(connectome)
    assert {roles[row]: dan for row, dan in reached.items()} == {"MBONn": "DANp", "MBONp": "DANn"}
    assert len(reached) == 12


def test_receptors_sort_by_number():
    names = ["94a & 94b ORN left", "1a ORN left", "13a ORN right", "47a & 33b ORN left"]
    assert sorted(map(receptor_of, names)) == ["001a", "013a", "047a & 33b", "094a & 94b"]


@pytest.mark.parametrize("side", ["left", "both"])
def test_summed_weights_are_those_of_the_drawn_circuit(side):
    config = MushroomBodyConfig()
    network = larva_network(mushroom_body_part(brain(), side), config)
    n_sides = 2 if side == "both" else 1
    assert network.population("KC").size == N_CELLS * n_sides
    assert sums(network, "ORN>PN").mean() == pytest.approx(config.orn_to_pn_ns)
    assert sums(network, "PN>KC").sum() / (sums(network, "PN>KC") > 0).sum() == pytest.approx(4.0)
    assert sums(network, "APL>KC").mean() == pytest.approx(-config.apl_to_kc_ns)
    assert sums(network, "bLN>PN").mean() == pytest.approx(-21 * config.ln_to_pn_ns)
    outputs = np.concatenate([sums(network, name) for name in ("KC>MBONp", "KC>MBONn", "KC>MBONo")])
    assert outputs.mean() == pytest.approx(72 * config.kc_to_mbon_ns)


def test_scaling_by_neuron_gives_each_the_drawn_sum():
    network = larva_network(mushroom_body_part(brain(), "left"), None, LarvaBrainConfig(scaling="neuron"))
    per_cell = sums(network, "PN>KC")
    assert per_cell[per_cell > 0] == pytest.approx(4.0)
    assert sums(network, "KC>MBONp") == pytest.approx(72 * 80.0)


def test_plasticity_is_crossed_and_scaled_to_the_weights():
    config = MushroomBodyConfig()
    network = larva_network(mushroom_body_part(brain(), "left"), config)
    rules = {p.name: p.plasticity for p in network.plastic_projections}
    assert {name: rule.modulator for name, rule in rules.items()} == {"KC>MBONp": "DANn", "KC>MBONn": "DANp"}
    weights = network.wire("KC>MBONp", 1, 0).weight
    # One spike of the one dopaminergic neuron takes the drawn share, learning_rate / kc_to_mbon_ns.
    assert rules["KC>MBONp"].learning_rate / weights.mean() == pytest.approx(0.1 / 80.0)


def test_odor_channels_drive_the_receptor_on_both_sides():
    network = larva_network(mushroom_body_part(brain(), "both"))
    names = network.population("ORN").labels["name"]
    (odor,) = (given for given in network.spike_inputs if given.name == "odor")
    for channel, neurons in enumerate(network.channel_neurons(odor)):
        assert {names[n].split(" ORN")[0] for n in neurons} == {f"{channel + 1}a"}


def test_other_edges_are_left_out_of_the_mushroom_body_and_weighted_in_the_brain():
    whole = larva_network(brain(), None, LarvaBrainConfig(other_ns=0.25))
    counts = brain().without_autapses()
    wired = whole.wire("LHN>descending", 1, 0)
    signs = LARVA_SIGNS.signs(counts, 1)
    roles = counts.labels["role"]
    edges = (roles[counts.pre] == "LHN") & (roles[counts.post] == "descending")
    expected = 0.25 * counts.synapses[edges] * signs[counts.pre[edges]]
    assert sorted(wired.weight) == pytest.approx(sorted(expected))
    assert "LHN" not in [p.name for p in larva_network(mushroom_body_part(brain())).populations]
    assert not any(p.name.startswith("DAN") for p in whole.projections)


def test_missing_roles_in_the_sign_table_are_an_error():
    table = SignTable("role", LARVA_SIGNS.rows[:-1])
    labels = {
        **brain().labels,
        "role": np.where(brain().labels["role"] == "LHN", "other", brain().labels["role"]),
    }
    with pytest.raises(BrainError, match="no sign for the role 'other'"):
        larva_network(replace(brain(), labels=labels), signs=table)


def test_share_of_assumed_signs_is_told_and_their_seed_changes_them():
    first, second = (
        larva_network(brain(), None, LarvaBrainConfig(other_ns=0.25, sign_seed=seed)) for seed in (1, 2)
    )
    assert any("of the fast synapses have an assumed sign" in step for step in first.sources[0].steps)
    flipped = [
        (first.wire(p.name, 1, 0).weight != second.wire(p.name, 1, 0).weight).any() for p in first.projections
    ]
    assert any(flipped)
    assert not all(flipped)


def test_eichlers_counts_are_found_though_cells_are_sorted_anew_in_each_block():
    named = brain()
    files = scrambled_eichler(named)
    made = eichler_on_winding(files, named, "left")
    for pre, post in (("PN", "KC"), ("KC", "MBONp"), ("KC", "MBONn"), ("KC", "DANp"), ("DANn", "KC")):
        edges = {}
        for name, one in (("named", named), ("made", made)):
            roles = one.labels["role"]
            chosen = (roles[one.pre] == pre) & (roles[one.post] == post)
            edges[name] = set(zip(one.pre[chosen], one.post[chosen], one.synapses[chosen], strict=True))
        assert edges["made"]
        assert edges["made"] == edges["named"]
    assert any("KC>MBON of Eichler et al. 2017: 100.0%" in step for step in made.source.steps)


def test_files_of_another_animal_are_refused():
    files = scrambled_eichler(brain())
    with pytest.raises(BrainError, match="0% of the output neurons are found"):
        eichler_on_winding(replace(files, synapses=3 * files.synapses), brain(), "left")


def test_circuits_are_made_by_name_from_their_folder(tmp_path, monkeypatch):
    write_winding(small_larva(), tmp_path / "winding")
    config = (MushroomBodyConfig(), LarvaBrainConfig())
    assert measured_network("drawn", "", *config) is None
    network = measured_network("winding-left", str(tmp_path), *config)
    assert network.population("KC").size == N_CELLS
    monkeypatch.setenv("ETHOSPIKE_CONNECTOMES", str(tmp_path))
    assert measured_network("winding-both", "", *config).population("KC").size == 2 * N_CELLS
    with pytest.raises(BrainError, match="unknown 'winding-lef'; did you mean 'winding-left'"):
        measured_network("winding-lef", "", *config)
    monkeypatch.delenv("ETHOSPIKE_CONNECTOMES")
    with pytest.raises(BrainError, match="not part of ethospike: give their folder by --connectome"):
        measured_network("winding-left", "", *config)
    assert len(CIRCUITS) == 7
