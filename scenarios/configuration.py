"""The configuration of a scenario: its dataclass, filled from flags, a TOML file and presets, in this order.

Every field of the dataclass is a flag (`--larva.gain 100`) and a key (`[larva] gain = 100`); no other key is
accepted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ethospike.configuration import build, checked, merged
from ethospike.errors import EthospikeError, ScenarioError, nearest
from ethospike.paths import expanded
from ethospike.scenarios.flags import Flag, flag_name, flags_of, parse, print_help
from ethospike.scenarios.scenario import Scenario, ScenarioConfig


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML configuration file.

    Raises
    ------
    ScenarioError
        When the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(expanded(path).read_text("utf-8-sig"))  # some editors begin a file with a mark
    except OSError as error:
        raise ScenarioError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path} is not TOML: {error}") from error


def preset(scenario: Scenario, name: str) -> Mapping[str, Any]:
    """Return a scenario's preset as nested dictionaries."""
    if name not in scenario.presets:
        raise ScenarioError(f"{scenario.name} has no preset {name!r}; {nearest(name, scenario.presets)}")
    return scenario.presets[name]


def scenario_flags(scenario: Scenario) -> list[Flag]:
    """Return the flags of a scenario: its families, then the fields of its configuration."""
    families = [
        Flag(
            (name,), str, next(iter(members)), f"Values of several other flags at once: {', '.join(members)}."
        )
        for name, members in scenario.families.items()
    ]
    return [*families, *flags_of(scenario.config)]


def configure(
    scenario: Scenario,
    words: Sequence[str] = (),
    layers: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> ScenarioConfig:
    """Return a scenario's configuration from flags and layers.

    Parameters
    ----------
    scenario : Scenario
    words : sequence of str
        Flags and their values.
    layers : sequence of (source, nested mapping)
        Values below the flags; earlier layers win.

    Raises
    ------
    ScenarioError
        For an unknown key or a value that does not fit; the message names the nearest valid key.
    """

    def as_flag(path: str) -> str:
        return f"--{flag_name(path)}"

    given = parse(words, scenario_flags(scenario))
    sources = [("", given), *layers]
    lowest, values = _families(scenario, [layer for _, layer in sources]), []
    for source, layer in sources:
        fields = {key: value for key, value in layer.items() if key not in scenario.families}
        if layer is given:
            values.append(checked(scenario.config, fields, text=True, spell=as_flag))
        else:
            values.append(checked(scenario.config, fields, source=source))
    combined = lowest
    for layer in reversed(values):
        combined = merged(combined, layer)
    try:
        return build(scenario.config, combined)
    except EthospikeError as error:
        raise ScenarioError(str(error)) from error


def _families(scenario: Scenario, layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the field values of the chosen name of each family, by default its first name.

    Raises
    ------
    ScenarioError
        When a family has no such name.
    """
    values: dict[str, Any] = {}
    for flag, members in scenario.families.items():
        chosen = next((layer[flag] for layer in layers if flag in layer), next(iter(members)))
        if chosen not in members:
            raise ScenarioError(f"--{flag}: no {chosen!r}; {nearest(str(chosen), members)}")
        values = merged(values, checked(scenario.config, members[chosen], source=f"{flag} {chosen}"))
    return values


def from_command(
    scenario: Scenario,
    flags: Sequence[str],
    *,
    config: Path | None = None,
    preset_name: str = "",
) -> ScenarioConfig | None:
    """Return the configuration from the words of a command; show help and return None for --help.

    Flags override the file `config`, and the file overrides the preset.

    Raises
    ------
    ScenarioError
        As `configure`, and for a file or a preset that does not exist.
    """
    layers: list[tuple[str, Mapping[str, Any]]] = []
    layers += [(str(config), read_toml(config))] if config else []
    layers += [(f"preset {preset_name}", preset(scenario, preset_name))] if preset_name else []
    if {"--help", "-h"} & set(flags):
        presets = f"Presets: {', '.join(scenario.presets) or 'none'}."
        print_help(f"ethospike run {scenario.name}", scenario.about, scenario_flags(scenario), [presets])
        return None
    return configure(scenario, flags, layers)
