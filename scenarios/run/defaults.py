"""The fields of a configuration that a run changed, with the defaults that it did not use."""

from __future__ import annotations

from typing import Any

from ethospike.scenarios.configuration import configure
from ethospike.scenarios.run.files import to_plain
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.shown import flat

CHANGED = "changed_from_default"
"""Entry of run.json and sweep.json: the defaults of the fields with other values, by their paths."""


def defaults_of_changed(scenario: Scenario, config: ScenarioConfig) -> dict[str, Any] | None:
    """Return the defaults of the fields that have other values, by path, in the types of TOML and JSON.

    None stands for a field that is not set. The result is None if the scenario has no complete defaults.
    """
    try:
        default = configure(scenario)
    except Exception:  # whatever a user's configuration raises: this run does not need its defaults
        return None
    chosen, usual = flat(to_plain(config)), flat(to_plain(default))
    names = dict.fromkeys([*chosen, *usual])
    return {name: usual.get(name) for name in names if chosen.get(name) != usual.get(name)}
