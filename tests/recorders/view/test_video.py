"""A film has the frames it should have, shows what was recorded, and needs little memory."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pygame
import pytest
from view_runs import ArenaRun, ReachRun, write

from ethospike.errors import ViewError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recording import open_recording
from ethospike.recorders.view.checks import Excerpt
from ethospike.recorders.view.screen import Screen, ScreenState
from ethospike.recorders.view.source import RecordingSource
from ethospike.recorders.view.video import SIZE_PX, FilmStyle, write_video
from ethospike.recorders.zarr_recorder import ZarrRecorder

av = pytest.importorskip("av", reason="films need PyAV: pip install 'ethospike[video]'")


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    folder = tmp_path_factory.mktemp("film") / "run"
    write(ArenaRun(), folder)
    return open_recording(folder)


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return frames, float(container.duration / 1e6), float(stream.average_rate), len(container.streams)


@pytest.mark.parametrize(("suffix", "fps", "error"), [(".mp4", 25, 8.0), (".gif", 10, 6.0)])
def test_a_film_shows_the_recorded_steps_at_its_speed(arena, tmp_path, suffix, fps, error):
    path = tmp_path / f"film{suffix}"
    # 30 s at 10-fold speed are 3 s.
    n = write_video(arena, path, Excerpt(speed=10.0))
    frames, duration_s, rate, n_streams = decoded(path)
    assert (n, len(frames), rate) == (3 * fps, 3 * fps, fps)
    assert duration_s == pytest.approx(3.0, abs=0.05)
    assert n_streams == 1  # no sound
    assert frames[0].shape[1::-1] == SIZE_PX[suffix]
    screen, surface = Screen(RecordingSource(arena)), pygame.Surface(SIZE_PX[suffix])
    for frame in (0, len(frames) // 2, len(frames) - 1):
        state = ScreenState(step=int(frame * 10.0 / fps / 0.1 + 1e-6), speed=10.0, film=True)
        screen.draw(surface, state)
        drawn = pygame.surfarray.array3d(surface).transpose(1, 0, 2).astype(int)
        assert np.abs(frames[frame] - drawn).mean() < error
        # Another moment is another picture: the test can tell them apart.
        other = np.abs(frames[len(frames) // 4] - drawn).mean()
        assert np.abs(frames[frame] - drawn).mean() < other
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_part_and_an_animal_can_be_chosen(arena, tmp_path):
    n = write_video(
        arena,
        tmp_path / "a.mp4",
        Excerpt(animal=2, start_s=10.0, stop_s=12.0),
        FilmStyle(fps=5, size_px=(320, 180)),
    )
    frames, duration_s, _, _ = decoded(tmp_path / "a.mp4")
    assert (n, len(frames)) == (10, 10)
    assert duration_s == pytest.approx(2.0)
    assert frames[0].shape == (180, 320, 3)


def test_the_reach_task_becomes_a_film_too(tmp_path):
    write(ReachRun(), tmp_path / "run")
    write_video(
        open_recording(tmp_path / "run"), tmp_path / "a.gif", style=FilmStyle(fps=5, size_px=(320, 180))
    )
    frames, _, _, _ = decoded(tmp_path / "a.gif")
    assert len(frames) == 15
    assert np.abs(frames[-1].astype(int) - frames[0]).mean() > 1


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("film.avi", {}, r"\.mp4 or \.gif"),
        ("no/folder/film.mp4", {}, "no folder"),
        ("film.mp4", {"speed": -1.0}, "speed"),
        ("film.mp4", {"speed": float("nan")}, "speed"),
        ("film.mp4", {"animal": 7}, "0 … 2"),
        ("film.mp4", {"start_s": 40.0, "stop_s": 50.0}, "nothing is recorded between"),
        ("film.mp4", {"start_s": 40.0}, "nothing is recorded between 40 s and 30 s"),
        ("film.mp4", {"hidden": frozenset("rx")}, r"r \(raster\).*got 'x'"),
        ("film.mp4", {"start_s": float("nan")}, "start: expected seconds of simulated time, got nan"),
        ("film.mp4", {"start_s": float("inf")}, "start: expected seconds"),
        ("film.gif", {"stop_s": float("inf")}, "stop: expected seconds"),
        ("film.gif", {"stop_s": float("nan")}, "stop: expected seconds"),
        ("film.mp4", {"fps": 0}, "fps: expected a whole number of at least 1, got 0"),
        ("film.gif", {"fps": 12.5}, "fps: expected a whole number"),
        ("film.mp4", {"size_px": (321, 180)}, "size_px: expected even numbers of at least 2, got 321 × 180"),
        ("film.mp4", {"size_px": (320, 0)}, "size_px: expected even numbers"),
        ("film.gif", {"size_px": (-320, 180)}, "size_px: expected whole numbers of at least 1, got -320"),
    ],
)
def test_what_cannot_be_filmed_is_refused(arena, tmp_path, name, more, words):
    of_style = {field.name for field in dataclasses.fields(FilmStyle)}
    style = FilmStyle(**{key: value for key, value in more.items() if key in of_style})
    excerpt = Excerpt(**{key: value for key, value in more.items() if key not in of_style})
    with pytest.raises(ViewError, match=words):
        write_video(arena, tmp_path / name, excerpt, style)
    assert not list(tmp_path.iterdir())


def test_a_film_that_breaks_off_leaves_nothing(arena, tmp_path):
    def stop(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(arena, tmp_path / "a.mp4", Excerpt(speed=50.0), progress=stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak memory from /proc")
def test_half_an_hour_becomes_a_minute_in_bounded_memory(tmp_path):
    """30 min of 10 control steps/s; 1 instead of 25 frames a second, so that the test takes seconds."""
    run = ArenaRun(animals=2)
    records = [run.record(k) for k in range(run.steps)]
    config = RecorderConfig(writer="inline")
    with ZarrRecorder(tmp_path / "recording.zarr", run.layout, config) as recorder:
        for k in range(18_000):
            record = records[k % run.steps]
            # The spikes of the 30 s before, in their own time.
            later = (k - record.control_step) * run.layout.steps_per_control
            spikes = type(record.spikes)(**{**vars(record.spikes), "step": record.spikes.step + later})
            recorder.record(type(record)(k, record.values, spikes=spikes, weights=record.weights))
    code = """if True:
        import json, re, sys
        from pathlib import Path
        from ethospike.recorders.recording import open_recording
        from ethospike.recorders.view.checks import Excerpt
        from ethospike.recorders.view.video import FilmStyle, write_video
        # Not getrusage, which on Linux also counts what the process was before it began this program.
        peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
        recording, one = open_recording(sys.argv[1]), FilmStyle(fps=1)
        # Forty frames of two minutes: the codec's own buffers have grown to their size after twenty.
        write_video(recording, Path(sys.argv[2]).with_suffix(".first.mp4"), Excerpt(3.0, stop_s=120.0), one)
        first = peak()
        n = write_video(recording, sys.argv[2], Excerpt(30.0), one)
        print(json.dumps({"frames": n, "first_mb": first, "peak_mb": peak()}))
    """
    words = [sys.executable, "-c", code, str(tmp_path / "recording.zarr"), str(tmp_path / "film.mp4")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["frames"] == 60
    # Growth after the first two minutes is what would go on growing; half a megabyte a frame would be 30 MB.
    # What was there before is the packages': 295 MB on Python 3.12 in November 2026.
    assert report["peak_mb"] - report["first_mb"] < 30, report
    _, duration_s, _, _ = decoded(tmp_path / "film.mp4")
    assert duration_s == pytest.approx(60.0)


@pytest.mark.parametrize(
    "name",
    [
        "a:b.mp4",
        "file:c.mp4",
        "a%d.mp4",
        "100%d %s.gif",
        "-y.mp4",
        "Ä ö ’.MP4",
        "x" * 251 + ".mp4",
        os.fsdecode(b"\xff.mp4"),
    ],
    ids=["colon", "protocol", "number", "pattern", "hyphen", "letters", "long", "bytes"],
)
def test_odd_but_legal_names(arena, tmp_path, name, monkeypatch):
    """The encoder took `a:b.mp4` for a protocol."""
    monkeypatch.chdir(tmp_path)
    style = FilmStyle(size_px=(160, 90))
    assert write_video(arena, name, Excerpt(stop_s=0.5), style) >= 5
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).stat().st_size > 500
    os.rename(tmp_path / name, tmp_path / f"plain{os.path.splitext(name)[1]}")
    frames, *_ = decoded(tmp_path / f"plain{os.path.splitext(name)[1]}")
    assert len(frames) >= 5


def test_a_film_in_the_home_folder(arena, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_video(arena, "~/film.gif", Excerpt(stop_s=0.3), FilmStyle(size_px=(160, 90)))
    assert (tmp_path / "film.gif").exists()
