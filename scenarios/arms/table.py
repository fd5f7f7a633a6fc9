"""The arms by name, their texts, their application to a scenario, and their proofs."""

from __future__ import annotations

import dataclasses
import importlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ethospike.errors import ArmError, nearest
from ethospike.paths import user_path
from ethospike.scenarios.arms.arm import GROUP, Arm, ArmedRun
from ethospike.scenarios.registry import load_file
from ethospike.scenarios.scenario import Scenario, ScenarioConfig

ARMS: dict[str, str] = {
    "cut-loop": "ethospike.scenarios.arms.loop.cut_loop:CutLoop",
    "freeze": "ethospike.scenarios.arms.network.freeze:Freeze",
    "gate-off": "ethospike.scenarios.arms.network.gate_off:GateOff",
    "set": "ethospike.scenarios.arms.network.set_values:SetValues",
    "sham": "ethospike.scenarios.arms.sham:Sham",
    "shuffle": "ethospike.scenarios.arms.network.shuffle:ShuffleArm",
    "shuffle-modulation": "ethospike.scenarios.arms.network.shuffle_modulation:ShuffleModulation",
    "silence": "ethospike.scenarios.arms.loop.silence:Silence",
    "yoked": "ethospike.scenarios.arms.loop.yoked:Yoked",
}
"""Module and class of each arm by name. A new arm is a file and a line here; one of a user's own has a file
of its own, and the name `FILE.py:CLASS`."""


def find_arm(name: str) -> type[Arm]:
    """Return the class of an arm by its name, or from a user's file, as `my_arms.py:Tired`.

    Raises
    ------
    ArmError
        When there is none; the message names the nearest.
    ScenarioError
        When the file cannot be run.
    """
    file, colon, class_name = name.rpartition(":")
    if colon and file.endswith(".py"):
        loaded = getattr(load_file(user_path(file), f"the arm {class_name}"), class_name, None)
        if not (isinstance(loaded, type) and issubclass(loaded, Arm)):
            raise ArmError(f"{file} defines no class {class_name} of type ethospike.scenarios.arms.Arm")
        if missing := sorted(loaded.__abstractmethods__):
            raise ArmError(f"{file}: the arm {class_name} lacks the methods {', '.join(missing)}")
        loaded.name = f"{user_path(file)}:{class_name}"
        return loaded
    if name not in ARMS:
        raise ArmError(f"no arm {name!r}; {nearest(name, ARMS)} (or FILE.py:CLASS)")
    module, class_name = ARMS[name].split(":")
    arm: type[Arm] = getattr(importlib.import_module(module), class_name)
    return arm


def parse_arm(text: str) -> Arm:
    """Return the arm of a text such as `silence KC phase=test`.

    Raises
    ------
    ArmError
        When there is no such arm, or its words do not fit.

    Examples
    --------
    >>> str(parse_arm("freeze KC>MBONp"))
    'freeze KC>MBONp'
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ArmError(f"arm {text!r}: {error}") from error
    if not words:
        raise ArmError(f"expected the name of an arm, got {text!r}; {nearest('', ARMS)}")
    return find_arm(words[0]).parse(words[1:])


def full_texts(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the texts of arms with absolute paths, so that they mean the same in any folder."""
    return tuple(str(parse_arm(text)) for text in texts)


def groups_in(texts: Sequence[str]) -> list[str]:
    """Return the groups of an experiment to whose runs arms refer, as in `yoked reward group:unpaired`."""
    return [group for text in texts for _, group in _references(parse_arm(text))]


def with_runs(texts: Sequence[str], run_of: Callable[[str], Path]) -> tuple[str, ...]:
    """Return the texts of arms with the folders of runs in place of references to groups."""
    named = []
    for text in texts:
        arm: Any = parse_arm(text)
        runs = {field: run_of(group) for field, group in _references(arm)}
        named.append(str(dataclasses.replace(arm, **runs)) if runs else text)
    return tuple(named)


def _references(arm: Any) -> Iterator[tuple[str, str]]:
    """Yield the fields of an arm that refer to a group, and the name of the group."""
    for field in dataclasses.fields(arm):
        value = getattr(arm, field.name)
        if isinstance(value, Path) and str(value).startswith(GROUP):
            yield field.name, str(value).removeprefix(GROUP)


def armed(scenario: Scenario, config: ScenarioConfig) -> Scenario:
    """Return a scenario with the arms of a configuration.

    Raises
    ------
    ArmError
        When an arm does not exist, or does not fit the scenario.
    """
    for text in config.arm:
        scenario = parse_arm(text).on(scenario)
    return scenario


def prove(arms: Sequence[Arm], run: ArmedRun) -> tuple[dict[str, dict[str, Any]], str]:
    """Return the proofs of arms by their texts, and the message about those without effect, else "".

    A second arm of the same text has a number behind it.
    """
    proofs: dict[str, dict[str, Any]] = {}
    failures = []
    for arm in arms:
        text = str(arm)
        name = text if text not in proofs else f"{text} ({1 + sum(map(text.__eq__, map(str, arms)))})"
        try:
            proofs[name] = arm.proof(run)
            if problem := _problem(arm, proofs[name]):
                failures.append(problem)
        except ArmError as error:
            proofs[name] = {"touched": 0, "error": str(error)}
            failures.append(str(error))
    return proofs, "; ".join(failures)


def _problem(arm: Arm, proof: dict[str, Any]) -> str:
    """Return the reason why a proof proves nothing, or an empty text."""
    touched = proof.get("touched")
    if not isinstance(touched, (int, float)):
        return f"arm {arm}: expected the number of what it touched in its proof, got {touched!r}"
    if arm.touches and not touched > 0:
        return f"arm {arm}: it touched nothing, and the run is that of the intact animal"
    if not arm.touches and touched:
        return f"arm {arm}: expected to touch nothing, touched {touched}"
    return ""
