"""Tracks of known larvae come back from a recording, replayed and measured."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import numpy as np
import pytest

from ethospike.errors import RunFolderError, ScenarioError
from ethospike.recorders.recording import open_recording
from ethospike.recorders.view.source import RecordingSource
from ethospike.scenarios.command.app import main
from ethospike.scenarios.interop import tracks

SECONDS = 8.0


def midline(n: int, *, bend: float = 0.2, speed_mm_s: float = 1.6, x_mm: float = 0.0) -> np.ndarray:
    """Return midlines of a larva of 4 mm that crawls to the right, from the head, shape (n, 12, 2).

    Its front points to the right, its rear by `bend` to the left of the way back.
    """
    along = np.linspace(0.0, 4.0, 12)
    middle = (along[5] + along[6]) / 2.0
    points = np.zeros((n, 12, 2))
    points[:, :, 0] = np.where(along < middle, middle - along, (middle - along) * np.cos(bend))
    points[:, :, 1] = np.where(along < middle, 0.0, (along - middle) * np.sin(bend))
    points[:, :, 0] += x_mm + speed_mm_s * np.arange(n)[:, None] / tracks.FRAMES_HZ
    return points


def table(points: np.ndarray, first: int = 300, contact: tuple[int, ...] = ()) -> np.ndarray:
    """Return midlines as the tracker writes them: tail first, 78 columns."""
    rows = np.zeros((len(points), tracks.TABLE_COLUMNS))
    rows[:, 0] = first + np.arange(len(points))
    rows[:, 1:25] = points[:, ::-1].reshape(len(points), 24)
    rows[list(contact), -1] = 1.0
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two dishes with a larva each; the second is seen for a shorter time and touches another once."""
    whole, half = round(SECONDS * tracks.FRAMES_HZ), round(SECONDS * tracks.FRAMES_HZ / 2)
    for name, rows in (
        ("dish1/7", table(midline(whole))),
        ("dish2/7", np.delete(table(midline(half, bend=-0.4, x_mm=5.0), contact=(9,)), 20, axis=0)),
    ):
        file = tmp_path / "tracked" / f"{name}.csv"
        file.parent.mkdir(parents=True)
        np.savetxt(file, rows, delimiter=" ,", fmt="%.6f")
    return tmp_path / "tracked"


def test_tables_of_the_tracker(folder: Path) -> None:
    first, second = tracks.read(folder)
    assert (first.name, second.name) == ("dish1/7", "dish2/7")
    np.testing.assert_allclose(first.track.heading_rad, 0.0, atol=1e-5)
    np.testing.assert_allclose(first.track.bend_rad, 0.2, atol=1e-5)  # the rear turns right: bent to the left
    assert first.track.length_mm == pytest.approx(4.0, abs=0.02)
    np.testing.assert_allclose(first.track.centroid_mm[:, 0], 0.1 * np.arange(128), atol=0.02)
    np.testing.assert_allclose(first.head_mm[:, 0] - first.track.centroid_mm[:, 0], 2.0, atol=0.02)
    # In contact at row 9, not seen at row 20.
    missing = np.flatnonzero(np.isnan(second.track.heading_rad))
    assert missing.tolist() == [9, 20]
    assert np.nanmean(second.track.bend_rad) == pytest.approx(-0.4, abs=1e-5)


def test_the_command_makes_a_run_that_is_replayed_and_measured(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    main(["import", str(folder), "--out", str(run)])
    assert "2 larvae" in capsys.readouterr().out
    recording = open_recording(run)
    assert (recording.status, recording.animals, recording.n_steps) == ("complete", 2, 128)
    assert recording.interval_s == pytest.approx(1 / 16)
    assert json.loads((run / "run.json").read_text())["larvae"] == ["dish1/7", "dish2/7"]
    centroid = recording.variable("centroid_mm").values
    np.testing.assert_allclose(centroid[:, 0, 0], 0.1 * np.arange(128), atol=0.02)
    assert np.isnan(centroid[64:, 1]).all()
    summary = json.loads((run / "summary.json").read_text())
    # 1.6 mm/s of a larva of 4 mm, straight on.
    assert summary["speed_per_s"]["value"] == pytest.approx(0.4, rel=0.02)
    assert summary["straightness_5_s"]["value"] == pytest.approx(1.0, abs=1e-3)
    assert {path.name for path in (run / "figures").iterdir()} == {"paths.png", "distributions.png"}


def test_a_replay_draws_larvae_that_are_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    from ethospike.recorders.view.screen import Screen, ScreenState

    made = tracks.write(tracks.read(folder), tmp_path / "run")
    screen, surface = Screen(RecordingSource(open_recording(made.path))), pygame.Surface((640, 480))
    for step in (0, 9, 40, 100, 127):
        screen.draw(surface, ScreenState(step=step))
    assert screen.labels(ScreenState(step=127))["phase"] == "tracked"


def test_tables_with_a_byte_order_mark(folder: Path) -> None:
    """The number of the first frame was none."""
    expected = tracks.read(folder)
    for file in folder.rglob("*.csv"):
        file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    for mine, yours in zip(tracks.read(folder), expected, strict=True):
        np.testing.assert_array_equal(mine.track.centroid_mm, yours.track.centroid_mm)


def test_plain_csv(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "larva,frame,x,y,heading\n0,0,1,2,0\n0,1,1.1,2,0\n0,3,1.3,2,0\n5,0,-1,0,1.5708\n5,1,-1,0.1,1.5708\n"
    )
    first, second = tracks.read(file, frames_hz=10.0)
    assert (first.name, second.name) == ("a/0", "a/5")
    np.testing.assert_allclose(first.track.centroid_mm[:, 0], [1.0, 1.1, np.nan, 1.3])
    np.testing.assert_allclose(first.track.bend_rad, [0.0, 0.0, np.nan, 0.0])
    np.testing.assert_allclose(second.head_mm[0], [-1.0, 2.0], atol=1e-4)  # half a body ahead
    assert first.track.interval_s == 0.1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y,header\n1,2,3\n", "no 'heading'"),
        ("x,y,heading\n", "rows of 3 numbers"),
        ("x,y,heading\n1,2\n", "cannot be read|rows of 3"),
        ("1,2,3\n4,5,6\n", "78 columns"),
        ("\udcff", "cannot be read"),
    ],
)
def test_files_of_another_form(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ScenarioError, match=words):
        tracks.read(file)


def test_paths_without_tracks(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        tracks.read(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScenarioError, match=r"no.* in it|found none"):
        tracks.read(tmp_path / "empty")
    larvae = tracks.read(folder)
    tracks.write(larvae, tmp_path / "run")
    with pytest.raises(RunFolderError, match="exists"):
        tracks.write(larvae, tmp_path / "run")
    with pytest.raises(ScenarioError, match="expected at least one"):
        tracks.write([], tmp_path / "other")


def test_data_sets_of_larvaworld(tmp_path: Path) -> None:
    pytest.importorskip("tables", reason="PyTables is not installed (ethospike[tracks])")
    import pandas

    points = midline(40) / 1000.0  # in m
    names = [f"point{k}_{axis}" for k in range(12) for axis in "xy"]
    index = pandas.MultiIndex.from_product([range(40), ["Larva_0"]], names=["Step", "AgentID"])
    frame = pandas.DataFrame(points.reshape(40, 24), index=index, columns=names)
    frame.to_hdf(tmp_path / "data.h5", key="midline")
    [larva] = tracks.read(tmp_path / "data.h5")
    assert larva.name == "Larva_0"
    np.testing.assert_allclose(larva.track.centroid_mm[:, 0], 0.1 * np.arange(40), atol=0.02)
    frame.to_hdf(tmp_path / "other.h5", key="angular")
    with pytest.raises(ScenarioError, match="midline"):
        tracks.read(tmp_path / "other.h5")
