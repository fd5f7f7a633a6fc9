"""Words of a command: names of flags, truth values, lists, tables, and mistakes."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from ethospike.errors import ScenarioError
from ethospike.scenarios.flags import flags_of, parse, sentences
from ethospike.scenarios.odor.conditioning import ConditioningConfig


@dataclass(frozen=True)
class Cell:
    """A cell.

    Parameters
    ----------
    V_th : float
        Threshold (mV),
        of all cells.
    """

    V_th: float = -50.0


@dataclass(frozen=True)
class Base:
    noise: bool = True
    """Whether there is noise."""


@dataclass(frozen=True)
class Settings(Base):
    watched: tuple[str, ...] = ("all",)
    place_mm: tuple[float, float] = (0.0, 0.0)
    cell: Cell = field(default_factory=lambda: Cell(-40.0))
    weights: dict[str, float] = field(default_factory=dict)


FLAGS = list(flags_of(Settings))


def test_flags_bear_the_path_the_default_and_the_sentence_of_their_field() -> None:
    flags = {flag.name: flag for flag in FLAGS}
    assert list(flags) == ["--noise", "--watched", "--place-mm", "--cell.v-th", "--weights"]
    assert (flags["--cell.v-th"].default, flags["--cell.v-th"].path) == (-40.0, ("cell", "V_th"))
    assert flags["--cell.v-th"].about == "Threshold (mV), of all cells."
    assert sentences(Settings)["noise"] == "Whether there is noise."


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--cell.V_th", "-45"], {"cell": {"V_th": "-45"}}),
        (["--cell.v-th=-45"], {"cell": {"V_th": "-45"}}),
        (["--noise"], {"noise": True}),
        (["--no-noise"], {"noise": False}),
        (["--noise=false"], {"noise": "false"}),
        (["--watched", "KC", "--watched", "PN"], {"watched": ["KC", "PN"]}),
        (["--empty-watched"], {"watched": []}),
        (["--place-mm", "-1", "2"], {"place_mm": ["-1", "2"]}),
        (["--weights.KC>MBON", "3", "--weights.PN=1"], {"weights": {"KC>MBON": "3", "PN": "1"}}),
    ],
)
def test_words_become_values(words: list[str], values: dict[str, Any]) -> None:
    assert parse(words, FLAGS) == values


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nosie"], "unknown flag --nosie; did you mean '--noise'"),
        (["noise"], "expected a flag such as --noise, got 'noise'"),
        (["--cell.v-th"], "--cell.v-th: expected a value after it, got none"),
        (["--cell.v-th", "--noise"], "--cell.v-th: expected a value after it, got none"),
        (["--place-mm", "1"], "--place-mm: expected 2 values after it, got 1"),
    ],
)
def test_a_mistake_in_the_words_is_named(words: list[str], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        parse(words, FLAGS)


def test_configurations_are_described_in_several_threads_at_once() -> None:
    """Python 3.11 raised SystemError in tasks of a batch, which configure themselves side by side."""
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda _: sentences(ConditioningConfig), range(24)))
    finally:
        sys.setswitchinterval(switch_s)
    assert all(texts == found[0] for texts in found)
    assert len(found[0]) > 10
