"""Configurations that hold together, and messages for those that do not."""

import math

import numpy as np
import pytest

from ethospike.envs.odor_arena import ArenaConfig, OdorSource, Phase
from ethospike.errors import EnvError


def test_the_default_is_larvaworlds_preference_test():
    config = ArenaConfig()
    (phase,) = config.phases
    assert config.radius_mm == 50.0
    assert phase.duration_s == 180.0
    assert [source.position_mm for source in phase.sources] == [(-40.0, 0.0), (40.0, 0.0)]


def test_odors_come_in_the_order_in_which_phases_name_them_or_as_told():
    phases = (
        Phase("one", 1.0, (OdorSource("B"),)),
        Phase("two", 1.0, (OdorSource("A"), OdorSource("B"))),
    )
    assert ArenaConfig(phases).odors == ("B", "A")
    assert ArenaConfig(phases, odors=("A", "unused", "B")).odors == ("A", "unused", "B")


def test_odd_animals_are_mirrored_if_asked():
    np.testing.assert_array_equal(ArenaConfig(mirror_odd_animals=True).side(range(3, 7)), [-1, 1, -1, 1])
    np.testing.assert_array_equal(ArenaConfig().side(range(3)), [1, 1, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Phase("", 1.0), "Phase.name: expected a name"),
        (lambda: Phase("a", 0.0), "duration_s of 'a': expected above 0, got 0.0"),
        (lambda: Phase("a", -3.0), "expected above 0, got -3.0"),
        (lambda: Phase("a", math.nan), "expected above 0, got nan"),
        (lambda: ArenaConfig(()), "phases: expected at least one"),
        (lambda: ArenaConfig(dish_diameter_mm=20.0), "dish_diameter_mm: expected at least 40, got 20.0"),
        (lambda: ArenaConfig(start_sd_mm=(1.0, -1.0)), "start_sd_mm: expected"),
        (lambda: ArenaConfig(start_sd_mm=(1.0, 60.0)), "dish's radius of 50 mm"),
        (lambda: ArenaConfig(odors=("A", "A", "B")), "odors: expected each odor once"),
        (lambda: ArenaConfig(odors=("A",)), "got \\('A',\\); add B"),
        (
            lambda: ArenaConfig((Phase("p", 1.0, (OdorSource("A", (40.0, 40.0)),)),)),
            "source of 'A' in phase 'p' is outside the dish",
        ),
    ],
)
def test_impossible_configurations_are_refused(make, message):
    with pytest.raises(EnvError, match=message):
        make()
