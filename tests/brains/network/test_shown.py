"""Networks in a terminal and in a notebook."""

from __future__ import annotations

import numpy as np

from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig, mushroom_body
from ethospike.brains.network import (
    Explicit,
    FixedIndegree,
    Network,
    Normal,
    Population,
    Projection,
    SpikeInput,
)
from ethospike.brains.network.shown import MOST_ROWS, brief

EVIL = "<script>alert(1)</script>"


def test_a_network_is_one_line_and_a_few_tables_with_units() -> None:
    network = mushroom_body(MushroomBodyConfig())
    line = repr(network)
    assert line.startswith("<Network of 142 neurons an animal (ORN 21, PN 21, LN 21, KC 72")
    assert "14 projections (2 plastic)" in line
    assert len(line) < 250
    text = str(network)
    assert max(map(len, text.splitlines())) < 200
    assert "80 nS" in text
    assert "DopamineGated" in text
    assert network._repr_html_().count("<table>") == 3


def test_arrays_and_distributions_stay_short_and_text_is_escaped() -> None:
    cells = [Population(EVIL, 500, "iaf_psc_exp"), Population("B", 10, "iaf_psc_delta", clusters=2)]
    pairs = np.stack((np.arange(500), np.zeros(500, np.int64)), axis=1)
    network = Network(
        cells,
        [
            Projection("listed", EVIL, "B", Explicit(pairs), np.linspace(1.0, 3.0, 500)),
            Projection("drawn", "B", EVIL, FixedIndegree(4), Normal(2.0, 0.5)),
        ],
        [SpikeInput("noise", "B", 1.5)],
    )
    text, html = str(network), network._repr_html_()
    assert "500 values, 1 … 3 mV" in text
    assert "Explicit(pairs 500 rows)" in text
    assert "Normal(mean 2, sd 0.5) pA" in text
    assert "FixedIndegree(k 4)" in text
    assert "2 clusters" in text
    assert "spikes, 1.5 mV" in text
    assert EVIL not in html
    assert "&lt;script&gt;" in html


def test_a_network_of_many_populations_is_cut() -> None:
    network = Network([Population(f"P{i}", 1, "iaf_psc_exp") for i in range(200)])
    assert len(str(network).splitlines()) < MOST_ROWS + 6
    assert f"… and {200 - MOST_ROWS} more" in str(network)
    assert len(repr(network)) < 250


def test_brief_words() -> None:
    assert brief(np.zeros((3, 2))) == "3 rows"
    assert brief(0.1) == "0.1"
