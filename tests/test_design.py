"""What docs/design.md says in numbers and in names is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from ethospike.brains import network
from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig, mushroom_body
from ethospike.brains.network import Rule
from ethospike.scenarios.run.folder import STATUSES

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text()


def test_the_mushroom_body_has_as_many_neurons_as_is_said() -> None:
    texts = [DESIGN, (ROOT / "README.md").read_text()]
    said = [re.findall(r"(\d+)-neuron mushroom body", text) for text in texts]
    assert all(said)
    assert {number for numbers in said for number in numbers} == {
        str(mushroom_body(MushroomBodyConfig()).n_neurons)
    }


def test_all_rules_of_connection_are_named() -> None:
    (listed,) = re.findall(r"Rules: (.*?); weights:", DESIGN)
    named = [word.replace("_", "") for word in re.findall(r"`(\w+)", listed)]
    rules = [cls for cls in vars(network).values() if isinstance(cls, type) and issubclass(cls, Rule)]
    assert sorted(named) == sorted(rule.__name__.lower() for rule in rules if rule is not Rule)


def test_all_statuses_of_a_run_are_named() -> None:
    (listed,) = re.findall(r"status `([\w |]+)`", DESIGN)
    assert sorted(listed.split(" | ")) == sorted(STATUSES)
