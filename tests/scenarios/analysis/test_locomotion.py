"""Measures of locomotion, on paths whose measures follow from geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ethospike.scenarios.analysis.locomotion import (
    MEASURES,
    Track,
    count_loops,
    count_reversals,
    measure,
    pooled,
    samples_of,
    stretches,
)

LENGTH_MM = 4.0


def circling(radius_mm: float, speed_mm_s: float, seconds: float, interval_s: float = 0.1) -> Track:
    """Return a larva that crawls on a circle to the left, bent by 0.3 rad."""
    t = np.arange(round(seconds / interval_s) + 1) * interval_s
    angle = speed_mm_s / radius_mm * t
    path = radius_mm * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    heading = np.angle(np.exp(1j * (angle + np.pi / 2)))
    return Track(interval_s, path, heading, np.full(len(t), 0.3), LENGTH_MM)


@pytest.mark.parametrize("interval_s", [0.01, 0.0625, 0.1])
def test_a_circle(interval_s: float) -> None:
    radius, speed = 5.0, 2.0
    found = measure([samples_of(circling(radius, speed, 70.0, interval_s))])
    value = {name: each["value"] for name, each in found.items()}
    omega_deg_s = math.degrees(speed / radius)
    assert value["speed_per_s"] == pytest.approx(speed / LENGTH_MM, rel=0.01)
    assert value["slow_share"] == 0.0
    assert value["angular_velocity_deg_s"] == pytest.approx(omega_deg_s, rel=0.01)
    assert value["angular_velocity_95_deg_s"] == pytest.approx(omega_deg_s, rel=0.01)
    assert value["bend_deg"] == pytest.approx(math.degrees(0.3), rel=1e-3)
    assert value["curvature_deg_mm"] == pytest.approx(math.degrees(1.0 / radius), rel=0.01)
    for seconds in (5, 20):
        # A chord over its arc.
        arc = speed * seconds
        chord = 2.0 * radius * abs(math.sin(arc / (2.0 * radius)))
        assert value[f"straightness_{seconds}_s"] == pytest.approx(chord / arc, abs=0.01)
        assert value[f"tortuosity_{seconds}_s"] == pytest.approx(1.0 - chord / arc, abs=0.01)
    for seconds in (20, 40, 60):
        chord = 2.0 * radius * abs(math.sin(speed * seconds / (2.0 * radius)))
        assert value[f"displacement_{seconds}_s_mm"] == pytest.approx(chord, abs=0.1)
    assert value["reversals_per_s"] == 0.0
    # It turns by 23 degrees/s and needs 15.7 s for 360: too slow for a loop within 10 s.
    assert value["loops_per_min"] == value["heading_loops_per_min"] == 0.0


def test_fast_circles_are_loops() -> None:
    track = circling(1.0, 1.0, 62.9)  # 6.28 s a turn
    value = measure([samples_of(track)])
    assert value["loops_per_min"]["value"] == pytest.approx(60.0 / 6.3, rel=0.12)
    assert value["heading_loops_per_min"]["value"] == pytest.approx(60.0 / 6.3, rel=0.12)


def test_a_zigzag_reverses() -> None:
    t = np.arange(0.0, 60.0, 0.1)
    heading = np.radians(30.0) * np.sin(2.0 * np.pi * 0.2 * t)
    path = np.cumsum(1.5 * 0.1 * np.stack((np.cos(heading), np.sin(heading)), axis=1), axis=0)
    value = measure([samples_of(Track(0.1, path, heading, np.zeros(len(t)), LENGTH_MM))])
    # Two reversals a period of 5 s.
    assert value["reversals_per_s"]["value"] == pytest.approx(0.4, rel=0.06)
    assert value["angular_velocity_deg_s"]["value"] == pytest.approx(30.0 * 4 * 0.2, rel=0.03)


def test_strides_are_the_peak_of_the_spectrum() -> None:
    t = np.arange(0.0, 60.0, 0.1)
    x = np.cumsum(0.1 * 1.3 * (1.0 + 0.5 * np.cos(2.0 * np.pi * 1.4 * t)))
    track = Track(0.1, np.stack((x, np.zeros_like(x)), axis=1), np.zeros(len(t)), np.zeros(len(t)), LENGTH_MM)
    assert measure([samples_of(track)])["stride_hz"]["value"] == pytest.approx(1.4, abs=0.051)


def test_counting_by_hand() -> None:
    degrees = np.radians([0.0, 5.0, 12.0, 3.0, 1.0, 20.0, 15.0, 12.0, 30.0])
    # Up to 12, back by 11, up to 20, back by 8 (too little), up to 30: one turn back and one forth.
    assert count_reversals(degrees) == 2
    assert count_reversals(np.empty(0)) == 0
    turning = np.radians([0.0, 200.0, 361.0, 500.0, 722.0])
    assert count_loops(turning, np.arange(5.0)) == 2
    assert count_loops(turning, 6.0 * np.arange(5.0)) == 0  # each turn of 360 takes 12 s
    assert count_loops(-turning, np.arange(5.0)) == 2


def test_only_what_was_seen_far_from_the_wall_is_measured() -> None:
    track = circling(30.0, 1.0, 100.0)
    path = np.array(track.centroid_mm)
    path[300:320] = np.nan
    path[600:603] *= 1.4  # 42 mm from the center, 8 from the wall of 50
    parts = stretches(Track(0.1, path, track.heading_rad, track.bend_rad, LENGTH_MM), 50.0)
    assert [len(part.path) for part in parts] == pytest.approx([300, 280, 398], abs=4)
    whole = stretches(track, 50.0)
    assert [len(part.path) for part in whole] == [1001]
    assert len(stretches(track, 39.0)) == 0


def test_headings_and_bends_may_be_wrapped() -> None:
    track = circling(5.0, 2.0, 40.0)
    assert np.ptp(track.heading_rad) > 6.0
    [part] = stretches(track)
    assert np.ptp(part.heading_rad) == pytest.approx(0.4 * 40.0, rel=0.01)
    bent = Track(0.1, track.centroid_mm, track.heading_rad, np.full(401, 2.0 * np.pi + 0.3), LENGTH_MM)
    assert stretches(bent)[0].bend_rad == pytest.approx(0.3, abs=1e-6)


def test_intervals_are_over_animals() -> None:
    group = [samples_of(circling(5.0, speed, 25.0)) for speed in (1.0, 1.5, 2.0, 2.5)]
    found = measure(group)["speed_per_s"]
    assert found["low"] < found["value"] < found["high"]
    assert found["value"] == pytest.approx(np.mean([1.0, 1.5, 2.0, 2.5]) / LENGTH_MM, rel=0.01)
    assert "low" not in measure(group, resamples=0)["speed_per_s"]
    assert "low" not in measure(group[:1])["speed_per_s"]
    assert len(pooled(group)["speed_per_s"]) == 4 * 251


def test_what_is_too_short_has_no_measure() -> None:
    found = measure([samples_of(circling(5.0, 2.0, 10.0))])
    assert "straightness_5_s" in found
    assert not {"straightness_20_s", "displacement_60_s_mm", "stride_hz"} & found.keys()
    assert set(found) < set(MEASURES)
