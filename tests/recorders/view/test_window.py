"""Real windows on a virtual screen: keys and clicks from outside, screenshots compared with the recording.

Needs Xvfb and xdotool (on Debian: apt install xvfb xdotool). What they check beyond `test_live_view.py` is
the way through the window system; where they are not installed, these tests are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pygame
import pytest
from places import HELPERS
from view_runs import TIMETABLE, ArenaRun, ReachRun, write

from ethospike.envs.delayed_reach import draw as draw_reach
from ethospike.envs.odor_arena import draw as draw_arena
from ethospike.recorders.recording import open_recording

MISSING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"no virtual screen: {', '.join(MISSING)} not installed"
)

TASK = pygame.Rect(0, 35, 648, 648)
"""Where the task is in a window of 1280×720: between header and time bar."""
PATIENCE_S = 60.0
LIVE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from view_runs import ArenaRun, ReachRun
from ethospike.recorders.view.live import LiveView
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.zarr_recorder import ZarrRecorder

run = {"arena": ArenaRun, "reach": ReachRun}[sys.argv[2]]()
folder = Path(sys.argv[3])
folder.mkdir()
go_on = folder / "go_on"
with ZarrRecorder(folder / "recording.zarr", run.layout, RecorderConfig(writer="inline")) as recorder:
    with LiveView(run.layout, sys.argv[2]) as view:
        for k in range(run.steps):
            record = run.record(k)
            recorder.record(record)
            view.record(record)
            time.sleep(0.01)
            while k == run.steps // 2 and not go_on.exists():
                time.sleep(0.05)
                view._show(time.perf_counter()) if view._waiting else None
"""
"""A run that waits in the middle, so that there is time to look."""


@pytest.fixture(scope="module")
def screen():
    """Environment with a virtual screen of its own."""
    read, write_end = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(write_end),
        "-screen",
        "0",
        "1400x800x24",
        "-nolisten",
        "tcp",
        "-noreset",
    ]
    server = subprocess.Popen(
        command, pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(write_end)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    environment = {**os.environ, "DISPLAY": f":{number}", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}
    environment.pop("SDL_VIDEODRIVER", None)
    environment.pop("WAYLAND_DISPLAY", None)
    yield environment
    server.terminate()
    server.wait()


class OnScreen:
    """A view in a window, handled as a user does: by keys and clicks; its title says where it is."""

    def __init__(self, environment, command, folder):
        self.environment, self.folder = environment, folder
        folder.mkdir(exist_ok=True)
        self.errors = folder / "stderr.txt"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(command, env=environment, cwd=folder, stderr=errors)
        self.window = ""
        self.wait(self.is_found)
        self.ask("windowfocus", self.window)

    def ask(self, *words):
        done = subprocess.run(["xdotool", *words], env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def is_found(self):
        """Look for the window anew: one that was seen while it was made may have been made again since."""
        self.window, *_ = self.ask("search", "--class", "ethospike").splitlines()[-1:] or [""]
        return self.window and "step" in self.title

    def wait(self, condition):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if result := condition():
                return result
            time.sleep(0.05)
        title = self.title
        self.process.kill()
        self.process.wait()
        pytest.fail(f"nothing happened for {PATIENCE_S} s: title {title!r}, {self.errors.read_text()}")

    @property
    def title(self):
        return self.ask("getwindowname", self.window)

    @property
    def step(self):
        return int(re.search(r"step (\d+)", self.title)[1])

    def key(self, name):
        self.ask("key", name)

    def click(self, x, y):
        self.ask("mousemove", "--window", self.window, str(x), str(y), "click", "1")

    def pause(self):
        self.key("space")
        self.wait(lambda: "paused" in self.title)

    def screenshot(self):
        before = set(self.folder.glob("*.png"))
        self.key("s")
        (path,) = self.wait(lambda: set(self.folder.glob("*.png")) - before)
        self.wait(lambda: path.read_bytes()[-8:-4] == b"IEND")  # the end of a PNG file
        return int(re.search(r"step-(\d+)", path.name)[1]), pygame.image.load(path)

    def close(self):
        self.key("q")
        assert self.process.wait(PATIENCE_S) == 0, self.errors.read_text()


def heads_mm(picture):
    """Places of the larvae's heads in a screenshot: the dish's size follows from its scale bar."""
    pixels = pygame.surfarray.array3d(picture)
    bar = (pixels[:250, 640:690] == (233, 236, 240)).all(axis=2).sum(axis=0).max() - 1
    task = pixels[TASK.left : TASK.right, TASK.top : TASK.bottom]
    dark = np.argwhere((task == draw_arena.HEAD).all(axis=2)) + TASK.topleft
    center = np.array(TASK.center)
    return (dark - center) / bar * 10.0 * (1, -1)


def check_larvae(picture, position_mm):
    """Each larva is where it was (animal 1 has a mirrored dish), and there are no others."""
    found, expected = heads_mm(picture), position_mm * [(1, 1), (-1, 1), (1, 1)]
    assert len(found) > 5
    for head in expected:
        assert np.hypot(*(found - head).T).min() < 0.6
    assert max(np.hypot(*(expected - place).T).min() for place in found) < 1.2


def replay(screen, run, folder):
    code = "import sys; from ethospike.scenarios.command.app import main; main(sys.argv[1:])"
    return OnScreen(screen, [sys.executable, "-c", code, "replay", str(run)], folder)


def test_a_replay_of_larvae(screen, tmp_path):
    records = write(ArenaRun(), tmp_path / "run")
    view = replay(screen, tmp_path / "run", tmp_path / "shots")
    view.pause()
    start = view.step
    view.key("Right")
    view.wait(lambda: view.step == start + 1)
    seen = []
    for share in (0.2, 0.6, 0.9):
        # The bar reaches from 6 px to where the hint begins.
        view.click(6 + round(share * 1200), 700)
        view.wait(lambda share=share: abs(view.step - share * 299) < 12)
        step, picture = view.screenshot()
        assert step == view.step
        check_larvae(picture, records[step].values["position_mm"])
        seen.append(TIMETABLE.phases[records[step].values["phase"][0]].name)
    assert set(seen) == {"training", "test"}
    files = [
        os.readlink(link) for link in Path(f"/proc/{view.process.pid}/fd").iterdir() if link.is_symlink()
    ]
    assert len(files) > 3
    assert not [file for file in files if "/snd" in file or "pulse" in file]
    view.close()


def test_a_replay_of_a_reach(screen, tmp_path):
    records = write(ReachRun(), tmp_path / "run")
    view = replay(screen, tmp_path / "run", tmp_path / "shots")
    view.pause()
    signals = [k for k, record in enumerate(records) if record.values["observation"][0, 6:12].any()]
    view.click(6 + round(signals[12] / 299 * 1200), 700)
    view.wait(lambda: abs(view.step - signals[12]) < 12)
    for _ in range(12):
        if view.step in signals:
            break
        before = view.step
        view.key("Left" if before > signals[0] else "Right")
        view.wait(lambda before=before: view.step != before)
    step, picture = view.screenshot()
    pixels = pygame.surfarray.array3d(picture)[:648, 35:683]
    hand = np.argwhere((pixels == draw_reach.HAND).all(axis=2)).mean(axis=0)
    go = np.argwhere((pixels[:, :560] == draw_reach.GO).all(axis=2)).mean(axis=0)
    position = records[step].values["position_mm"][0]
    target = int(records[step].values["target"][0])
    angle = target * np.pi / 3
    # The response signal is 80 mm from the center and gives the scale; y points down.
    center = np.array((324.0, 324.0))
    unit = np.array((np.cos(angle), -np.sin(angle)))
    px_per_mm = np.dot(go - center, unit) / 80.0
    assert px_per_mm > 2
    np.testing.assert_allclose((hand - center) / px_per_mm * (1, -1), position, atol=3.0)
    view.close()


@pytest.mark.parametrize("task", ["arena", "reach"])
def test_a_live_view_in_a_window(screen, tmp_path, task):
    command = [sys.executable, "-c", LIVE, str(HELPERS), task, str(tmp_path / "run")]
    view = OnScreen(screen, command, tmp_path / "shots")
    view.wait(lambda: view.step == 150)
    step, picture = view.screenshot()
    assert step == 150
    assert "live" in view.title
    view.key("q")
    # The view is over, and the run is not.
    view.wait(lambda: not view.ask("search", "--class", "ethospike"))
    assert view.process.poll() is None
    (tmp_path / "run" / "go_on").touch()
    assert view.process.wait(PATIENCE_S) == 0
    assert "the view was closed; the run goes on" in view.errors.read_text()
    recording = open_recording(tmp_path / "run")
    assert (recording.status, recording.n_steps) == ("complete", 300)
    position = recording.behavior["position_mm"].values[150]
    if task == "arena":
        check_larvae(picture, position)
    else:
        pixels = pygame.surfarray.array3d(picture)[:648, 35:683]
        assert len(np.argwhere((pixels == draw_reach.HAND).all(axis=2))) > 20
    expected = write(ArenaRun() if task == "arena" else ReachRun(), tmp_path / "unseen")
    np.testing.assert_array_equal(position, expected[150].values["position_mm"])


def test_ctrl_c_ends_the_run_and_the_view(screen, tmp_path):
    command = [sys.executable, "-c", LIVE, str(HELPERS), "arena", str(tmp_path / "run")]
    view = OnScreen(screen, command, tmp_path / "shots")
    view.process.send_signal(signal.SIGINT)
    view.process.wait(PATIENCE_S)
    view.wait(lambda: not view.ask("search", "--class", "ethospike"))
    assert open_recording(tmp_path / "run").status == "failed"
