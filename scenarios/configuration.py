"""Configuration: a scenario's dataclass, filled from flags, a TOML file and presets, in this order.

In: command-line words, a file, a preset's name. Out: the scenario's configuration, validated. Every field of
the dataclass is a flag (`--larva.gain 100`) and a key (`[larva] gain = 100`); nothing else is accepted.
"""

from __future__ import annotations

import dataclasses
import inspect
import operator
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import cyclopts

from ethospike.errors import ScenarioError, nearest
from ethospike.scenarios.scenario import Scenario, ScenarioConfig


def read_toml(path: Path) -> dict[str, Any]:
    """Read a configuration file.

    Raises
    ------
    ScenarioError
        When it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # some editors begin a file with a mark
    except OSError as error:
        raise ScenarioError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path} is not TOML: {error}") from error


def preset(scenario: Scenario, name: str) -> Mapping[str, Any]:
    """Return a scenario's preset as nested dictionaries."""
    if name not in scenario.presets:
        raise ScenarioError(f"{scenario.name} has no preset {name!r}; {nearest(name, scenario.presets)}")
    return scenario.presets[name]


def parser(scenario: Scenario, layers: Sequence[tuple[str, Mapping[str, Any]]] = ()) -> cyclopts.App:
    """Return a command-line parser that returns the scenario's configuration.

    Parameters
    ----------
    scenario : Scenario
    layers : sequence of (source, nested mapping)
        Values below the flags; earlier layers win.
    """
    app = cyclopts.App(
        name=f"ethospike run {scenario.name}",
        help=scenario.about,
        help_flags=["--help", "-h"],
        version_flags=[],
        config=[
            *(
                cyclopts.config.Dict(_plain(layer, scenario.config), source=source)
                for source, layer in layers
            ),
            *(_Family(name, members, scenario.config) for name, members in scenario.families.items()),
            _refuse_fractions,
        ],
        result_action="return_value",
    )
    _resolve_annotations(scenario.config)
    default = scenario.config()

    def configuration(*, config: ScenarioConfig = default, **_: str) -> ScenarioConfig:
        return config

    # A type that is only known now: type checkers want it spelled, so the brackets are called.
    fields = operator.getitem(Annotated, (scenario.config, cyclopts.Parameter(name="*")))
    parameters = [_keyword("config", fields, default)]
    for name, members in scenario.families.items():
        about = f"Values of several other flags at once: {', '.join(members)}."
        parameters.append(_keyword(name, Annotated[str, cyclopts.Parameter(help=about)], next(iter(members))))
    configuration.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    configuration.__annotations__ = {one.name: one.annotation for one in parameters}
    app.default(configuration)
    return app


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


@dataclasses.dataclass(frozen=True)
class _Family:
    """The lowest layer: the values that the name given with a flag stands for, or its first name."""

    flag: str
    members: Mapping[str, Mapping[str, Any]]
    config: type

    def __call__(self, app: cyclopts.App, commands: tuple[str, ...], arguments: Any) -> None:
        given = next(argument.tokens for argument in arguments if argument.name == f"--{self.flag}")
        chosen = str(given[0].value) if given else next(iter(self.members))
        if chosen not in self.members:
            raise ScenarioError(f"--{self.flag}: no {chosen!r}; {nearest(chosen, self.members)}")
        layer = cyclopts.config.Dict(
            _plain(self.members[chosen], self.config), source=f"{self.flag} {chosen}"
        )
        layer(app, commands, arguments)


def _refuse_fractions(app: cyclopts.App, commands: tuple[str, ...], arguments: Any) -> None:
    """Raise for a fraction where a whole number is expected; cyclopts would round it in silence."""
    for argument in arguments:
        kinds = {argument.hint, *typing.get_args(argument.hint)}
        for token in argument.tokens if int in kinds and float not in kinds else ():
            if re.fullmatch(r"[+-]?\d*\.\d*[1-9]\d*", token.value):
                raise ScenarioError(f"{argument.name}: expected a whole number, got {token.value}")


def _resolve_annotations(config: type) -> None:
    """Replace the annotations of a dataclass's `__init__`, which are text, by types.

    A derived dataclass inherits fields from other modules, in whose names their annotations are written;
    cyclopts would look them up in the derived class's module only.
    """
    hints = typing.get_type_hints(config)
    config.__init__.__annotations__.update(hints)  # type: ignore[misc]
    for hint in hints.values():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            _resolve_annotations(hint)


def configure(
    scenario: Scenario,
    words: Sequence[str] = (),
    layers: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> ScenarioConfig:
    """Return a scenario's configuration from flags and layers.

    Raises
    ------
    ScenarioError
        For an unknown key or a value that does not fit; the message names the nearest valid key.
    """
    for source, layer in layers:
        own = {key: value for key, value in layer.items() if key not in scenario.families}
        _check_keys(scenario.config, own, source)
    try:
        config: ScenarioConfig = parser(scenario, layers)(list(words), print_error=False, exit_on_error=False)
    except (cyclopts.CycloptsError, ValueError) as error:
        raise ScenarioError(str(error)) from error
    return config


def from_command(
    scenario: Scenario,
    flags: Sequence[str],
    *,
    config: Path | None = None,
    preset_name: str = "",
    simulator: str = "",
    genn_backend: str = "",
) -> ScenarioConfig | None:
    """Return the configuration that the words of a command ask for; show help and return None for --help.

    Flags win over the file `config`, and that over the preset.

    Raises
    ------
    ScenarioError
        As `configure`, and for a file or a preset that does not exist.
    """
    layers: list[tuple[str, Mapping[str, Any]]] = []
    layers += [(str(config), read_toml(config))] if config else []
    layers += [(f"preset {preset_name}", preset(scenario, preset_name))] if preset_name else []
    words = [*flags]
    words += ["--simulator.name", simulator] if simulator else []
    words += ["--simulator.genn-backend", genn_backend] if genn_backend else []
    if {"--help", "-h"} & set(words):
        parser(scenario)(["--help"])
        print(f"Presets: {', '.join(scenario.presets) or 'none'}.")
        return None
    return configure(scenario, words, layers)


def _check_keys(config: type, layer: Mapping[str, Any], source: str, table: str = "") -> None:
    """Raise for a key that the dataclass does not have; cyclopts does not name the nearest one."""
    hints = typing.get_type_hints(config)
    valid = {field.name for field in dataclasses.fields(config)}
    for key, value in layer.items():
        if key not in valid:
            raise ScenarioError(f"{source}: unknown key {table + key!r}; {nearest(key, valid)}")
        if isinstance(value, Mapping) and dataclasses.is_dataclass(hints[key]):
            _check_keys(hints[key], value, source, f"{table}{key}.")


def _plain(layer: Mapping[str, Any], config: type) -> dict[str, Any]:
    """Return a layer with its fields named as the flags are, in lower case (`V_th` is `--v-th`).

    Keys of a field that is itself a dictionary are the user's own and stay as they are.
    """
    hints = typing.get_type_hints(config)
    plain = {}
    for key, value in layer.items():
        if isinstance(value, Mapping):
            value = _plain(value, hints[key]) if dataclasses.is_dataclass(hints[key]) else dict(value)
        plain[cyclopts.default_name_transform(key)] = value
    return plain
