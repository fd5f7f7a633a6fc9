"""The contract of a control arm: a scenario in, a scenario out, and a proof of its effect.

An arm is a dataclass; its text, such as `silence KC phase=test`, is its name and its fields. Words without
`=` fill the fields that have no default, then the list; the name of a truth value sets it; `field=value` sets
any field.
"""

from __future__ import annotations

import dataclasses
import shlex
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ethospike.configuration import converted, field_types, options_of
from ethospike.errors import ArmError, ScenarioError, nearest
from ethospike.scenarios.scenario import Scenario, ScenarioConfig

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

GROUP = "group:"
"""Begins a path that stands for the run of another group of the same experiment, as `group:unpaired`."""


@dataclass(frozen=True)
class ArmedRun:
    """A run that an arm has changed, for the arm's proof.

    Parameters
    ----------
    recording : Recording
        Up to the last committed control step.
    config : ScenarioConfig
    folder : Path
        The run's folder.
    """

    recording: Recording
    config: ScenarioConfig
    folder: Path


class Arm(ABC):
    """A control arm.

    Subclasses are dataclasses, set `name`, and implement `apply` and `proof`. Most derive from `NetworkArm`
    (another network) or `LoopArm` (something between brain and body).

    An arm keeps all that it does not touch bit for bit: wiring, input trains, noise of the body.
    """

    name: ClassVar[str]
    """First word of the arm's text."""
    touches: ClassVar[bool] = True
    """False for an arm that is meant to change nothing."""

    @abstractmethod
    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with this arm.

        Raises
        ------
        ArmError
            When the arm does not fit the scenario.
        """

    @abstractmethod
    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return the effect of the arm on a run, as plain numbers, texts, lists and dictionaries.

        The entry `touched` is the number of neurons, synapses, parameters or control steps that the arm
        changed; `prove` refuses a complete run in which it is 0.

        Raises
        ------
        ArmError
            When the arm had no effect; the message says what was expected.
        """

    def on(self, scenario: Scenario) -> Scenario:
        """Return the scenario with this arm, which is noted for its proof."""
        arms = (*scenario.arms, self)
        return dataclasses.replace(self.apply(scenario), arms=arms)

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """Return the arm with the fields that words set.

        Raises
        ------
        ArmError
            For an unknown field or a value that does not fit.
        """
        hints, given = field_types(cls), dict[str, Any]()
        for word in words:
            key, equals, value = word.partition("=")
            plain = cls._next_plain(given)
            if equals and key in hints:
                given[key] = _value(cls, key, value, hints[key])
            elif word in hints and hints[word] is bool:
                given[word] = True
            elif equals and key.isidentifier():
                raise ArmError(f"arm {cls.name}: unknown field {key!r}; {nearest(key, hints)}")
            elif not plain:
                raise ArmError(f"arm {cls.name}: expected no words after it, got {word!r}")
            elif _is_list(hints[plain]):
                given[plain] = (*given.get(plain, ()), word)
            else:
                given[plain] = _value(cls, plain, word, hints[plain])
        missing = [
            field.name
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
            if field.init and field.name not in given and _is_required(field)
        ]
        if missing:
            raise ArmError(f"arm {cls.name}: expected its {missing[0]}, as in {cls.example()!r}")
        return cls(**given)

    @classmethod
    def _next_plain(cls, given: Mapping[str, Any]) -> str:
        """Return the field that the next word without `=` fills: one that has no default, or a list."""
        fields = [field for field in dataclasses.fields(cls) if field.init]  # type: ignore[arg-type]
        hints = field_types(cls)
        waiting = [field.name for field in fields if _is_required(field) and field.name not in given]
        lists = [field.name for field in fields if _is_list(hints[field.name])]
        return next(iter([*waiting, *lists]), "")

    @classmethod
    def example(cls) -> str:
        """Return an example of the arm's text."""
        return cls.name

    def __str__(self) -> str:
        """Return the text of the arm, from which `parse_arm` makes it again."""
        words = [self.name]
        fields = [field for field in dataclasses.fields(self) if field.init]  # type: ignore[arg-type]
        for field in fields:
            value = getattr(self, field.name)
            if not _is_required(field) and value == _default(field):
                continue
            if isinstance(value, tuple):
                words += map(str, value)
            elif value is True:
                words.append(field.name)
            elif _is_required(field):
                words.append(str(value))
            else:
                words.append(f"{field.name}={value}")
        return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Return a word as `shlex.split` reads it; brackets and comparisons need no quotes there."""
    return word if word and not set(word) & set(" \t\n'\"\\#") else shlex.quote(word)


def _value(arm: type[Arm], key: str, text: str, hint: Any) -> Any:
    try:
        value = converted((text,) if _is_list(hint) else text, hint, text=True)
    except ScenarioError as error:
        raise ArmError(f"arm {arm.name}: {key}: {error}") from error
    if not isinstance(value, Path) or str(value).startswith(GROUP):
        return value
    return value.absolute()  # tasks of a sweep run in other folders


def _is_list(hint: Any) -> bool:
    return any(typing.get_origin(option) is tuple for option in options_of(hint))


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
