"""Short forms of configurations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ethospike.shown import Shown, changed_fields, flat, html_table, unit_of


@dataclass(frozen=True)
class Part(Shown):
    gain: float = 2.0
    rates_hz: Any = (1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Whole(Shown):
    name: str
    wait_ms: float = 5.0
    part: Part = field(default_factory=Part)
    on: bool = True


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("duration_s", "s"),
        ("wait_ms", "ms"),
        ("larva.speed_mm_s", "mm/s"),
        ("rate_hz.E", "Hz"),
        ("dan_hz_in_training", "Hz"),
        ("preference_first_20_s", ""),  # the unit of 20, not of the preference
        ("final_weight_KC>MBONp_ns", "nS"),
        ("minutes", "min"),
        ("cortex.E_L", "mV"),
        ("tau_syn_ex", "ms"),
        ("s", ""),
        ("animals", ""),
        ("", ""),
    ],
)
def test_a_name_carries_its_unit(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def test_only_changed_fields_are_shown_and_make_the_same_object_again() -> None:
    assert repr(Whole(name="a")) == "Whole(name='a')"
    changed = Whole(name="a", wait_ms=7.0, part=Part(gain=3.0))
    assert repr(changed) == "Whole(name='a', wait_ms=7.0, part=Part(gain=3.0))"
    assert eval(repr(changed)) == changed
    assert "wait_ms        7.0 ms (default: 5.0)" in str(changed)
    assert "part.gain      3.0 (default: 2.0)" in str(changed)
    assert "part.rates_hz  (1.0, 2.0)\n" in str(changed)


def test_a_part_is_compared_with_the_default_of_its_whole() -> None:
    @dataclass(frozen=True)
    class Body(Shown):
        part: Part = field(default_factory=lambda: Part(gain=9.0))

    assert repr(Body()) == "Body()"
    assert "default" not in str(Body())
    assert "part.gain      2.0 (default: 9.0)" in str(Body(Part()))


def test_arrays_and_other_types_of_the_same_value_do_not_stop_a_comparison() -> None:
    assert list(changed_fields(Part(rates_hz=np.zeros(3)))) == ["rates_hz"]
    assert list(changed_fields(Part(gain=2))) == ["gain"]  # an int is not what the default is


def test_a_notebook_shows_all_fields_escaped_with_the_changed_ones_marked() -> None:
    html = Whole(name="<img src=x onerror=alert(1)>", wait_ms=9.0)._repr_html_()
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    marked = [line for line in html.split("<tr>") if "background" in line]
    assert len(marked) == 1
    assert "wait_ms" in marked[0]
    assert "9.0 ms" in marked[0]


def test_tables_are_escaped() -> None:
    assert html_table([("<b>", "&")]).count("<b>") == 0


def test_nested_mappings_become_paths() -> None:
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": {}}) == {"a.b": 1, "a.c.d": 2, "e": {}}
