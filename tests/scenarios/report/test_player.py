"""The data of the player against the recording that they were made from."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import view_runs
from numpy.typing import NDArray

from ethospike.recorders.recording import open_recording
from ethospike.scenarios.report import player, traces
from ethospike.scenarios.report.packing import FULL, MISSING, differences, packed, scaled
from ethospike.scenarios.run.folder import RunFolder


def unpacked(text: str, dtype: str) -> NDArray[Any]:
    """Undo `packed`, as the page's script does."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def test_numbers_come_back_within_the_resolution() -> None:
    values = np.array([[-60.0, 0.0, 12.3456, np.nan, 60.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
    points = unpacked(packed(differences(scaled(values, -60.0, 60.0))), "<i2").reshape(2, 5)
    undone = np.cumsum(points.astype(np.int64), axis=1).astype(np.int16)
    assert undone[0, 3] == MISSING
    known = np.isfinite(values)
    np.testing.assert_allclose(undone[known] / FULL * 60.0, values[known], atol=60.0 / FULL / 2)


def test_the_paths_are_those_of_the_recording_on_the_side_of_the_first_animal(
    arena_folder: RunFolder,
) -> None:
    recording = open_recording(arena_folder.path)
    data = player.player_data(recording)
    assert data is not None
    world = data["map"]
    assert world["animals"] == [0, 1, 2]
    assert world["point_s"] == recording.interval_s
    half = world["half_width_mm"]
    points = np.cumsum(unpacked(world["points"], "<i2").reshape(3, 2, -1).astype(np.int64), axis=-1).astype(
        np.int16
    )
    expected = np.moveaxis(recording.variable("centroid_mm").values, 0, -1).copy()
    expected[1, 0] *= -1  # its dish is mirrored
    broken = (points == MISSING).any(axis=1)
    assert 1 <= broken.sum() <= 6  # where the test began, and the animals were put back
    kept = np.broadcast_to(~broken[:, None], points.shape)
    assert expected.std() > 1.0
    np.testing.assert_allclose((points / FULL * half)[kept], expected[kept], atol=half / FULL)


def test_the_marks_are_the_odors_and_patches_of_each_phase(arena_folder: RunFolder) -> None:
    data = player.player_data(open_recording(arena_folder.path))
    assert data is not None
    marks = [(mark["kind"], mark["x_mm"], mark["phase"]) for mark in data["map"]["marks"]]
    assert marks == [("odor", -20.0, 0), ("reward", 0.0, 0), ("odor", -30.0, 2)]
    assert [name for *_, name in data["phases"]] == ["training", "rest", "test"]
    assert [stop for _, stop, _ in data["phases"]] == pytest.approx([10.0, 14.0, 30.0])


def test_each_bit_of_the_raster_is_a_spike(arena_folder: RunFolder) -> None:
    recording = open_recording(arena_folder.path)
    raster = player.raster(recording, 1)
    assert raster is not None
    bits = np.unpackbits(unpacked(raster["bits"], "u1").reshape(-1, raster["row_bytes"]), axis=1)
    bits = bits[:, : raster["n_bins"]]
    assert [(band["name"], band["rows"]) for band in raster["bands"]] == [("KC", 40), ("MBONp", 1)]
    assert raster["bin_s"] == pytest.approx(0.001)
    spikes = recording.spikes(animal=1)
    assert len(spikes.step) > 1000
    fired = {(int(n), int((s - 1) // 10)) for n, s in zip(spikes.neuron, spikes.step, strict=True)}
    assert {(int(row), int(b)) for row, b in np.argwhere(bits)} == fired


def test_bins_grow_until_the_raster_is_small_enough(
    arena_folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = open_recording(arena_folder.path)
    fine = player.raster(recording, 0)
    monkeypatch.setattr(player, "RASTER_BITS", 100_000)
    coarse = player.raster(recording, 0)
    monkeypatch.setattr(player, "RASTER_TEXT", 2_000)
    small = player.raster(recording, 0)
    assert fine is not None
    assert coarse is not None
    assert small is not None
    assert fine["bin_s"] < coarse["bin_s"] < small["bin_s"]
    assert coarse["n_bins"] * 41 <= 100_000
    assert len(small["bits"]) <= 2_000


def test_a_large_network_is_thinned_and_says_so(tmp_path: Path) -> None:
    run = view_runs.ReachRun()
    view_runs.write(run, tmp_path / "run")
    data = player.player_data(open_recording(tmp_path / "run"))
    assert data is not None
    assert data["raster"]["stride"] == 8
    assert sum(band["rows"] for band in data["raster"]["bands"]) == 375
    world = data["map"]
    assert [mark["kind"] for mark in world["marks"]] == ["target"] * 6 + ["start"]
    lit = unpacked(world["highlighted"], "<i2")
    np.testing.assert_array_equal(lit, open_recording(tmp_path / "run").variable("target").values[:, 0])


def test_lines_are_means_of_equal_stretches(arena_folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = open_recording(arena_folder.path)
    monkeypatch.setattr(traces, "POINTS", 60)
    panels = {panel["title"]: panel for panel in traces.panels(recording, 2)}
    preference = panels["preference: approach above, avoidance below 0"]
    assert (preference["low"], preference["high"], preference["n_points"]) == (-1.0, 1.0, 60)
    expected = recording.variable("preference").values[:, 2].reshape(60, 5).mean(axis=1)
    np.testing.assert_allclose(unpacked(preference["values"], "<i2") / FULL, expected, atol=1 / FULL)
    rates = panels["mean rates of the neurons (Hz)"]
    counts = recording.counts.values[:, 2, 0].reshape(60, 5).sum(axis=1)
    shown = (unpacked(rates["values"], "<i2")[:60] / FULL + 1) / 2 * rates["high"]
    np.testing.assert_allclose(shown, counts / 40 / (5 * recording.interval_s), atol=rates["high"] / FULL)
    assert counts.sum() > 1000
    (weights,) = (panel for title, panel in panels.items() if title == "mean weights (nS)")
    share = (unpacked(weights["values"], "<i2") / FULL + 1) / 2
    values = weights["low"] + share * (weights["high"] - weights["low"])
    recorded = recording.weights("KC>MBONp").values[:, 2].mean(axis=-1)
    assert values[0] == pytest.approx(recorded[0], abs=0.01)
    assert values[-1] == pytest.approx(recorded[-1], abs=0.01)
    assert recorded[0] - recorded[-1] > 1.0


def test_a_recording_without_body_and_spikes_still_has_lines(tmp_path: Path) -> None:
    choice = {"behavior": ("preference",), "spike_populations": ()}
    view_runs.write(view_runs.ArenaRun(), tmp_path / "run", **choice)
    data = player.player_data(open_recording(tmp_path / "run"))
    assert data is not None
    assert data["map"] is None
    assert data["raster"] is None
    assert len(data["panels"]) == 3
    json.dumps(data, allow_nan=False)


def test_an_unlisted_animal_has_no_raster(tmp_path: Path) -> None:
    view_runs.write(view_runs.ArenaRun(), tmp_path / "run", spike_animals=(1,))
    recording = open_recording(tmp_path / "run")
    data = player.player_data(recording)
    assert data is not None
    assert data["animal"] == 1
    assert data["raster"] is not None
    assert player.raster(recording, 0) is None
