"""The view shows what happened, does what keys say, and never holds up or changes the run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pygame
import pytest
from places import PATIENCE_S
from view_runs import TIMETABLE, ArenaRun, ReachRun, write

from ethospike.envs.delayed_reach import draw as draw_reach
from ethospike.envs.draw import DIM, PANEL, TEXT
from ethospike.envs.odor_arena import draw as draw_arena
from ethospike.errors import ViewError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recording import open_recording
from ethospike.recorders.view import live as live_view
from ethospike.recorders.view.checks import Excerpt
from ethospike.recorders.view.link import Inbox, packed
from ethospike.recorders.view.live import LiveView
from ethospike.recorders.view.panels import COLORS, RasterPanel, Window, panels_for
from ethospike.recorders.view.player import Player
from ethospike.recorders.view.replay import watch
from ethospike.recorders.view.screen import Screen, ScreenState, window_steps
from ethospike.recorders.view.source import (
    Batch,
    LiveSource,
    RecordingSource,
    raster_neurons,
    raster_stride,
    viewed_variables,
)
from ethospike.recorders.view.window import show
from ethospike.recorders.zarr_recorder import ZarrRecorder

SIZE = (1280, 720)


@pytest.fixture(autouse=True)
def no_screen(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """Folder, records and recording of larvae in a dish."""
    folder = tmp_path_factory.mktemp("arena") / "run"
    records = write(ArenaRun(), folder)
    return folder, records, open_recording(folder)


@pytest.fixture(scope="module")
def reach(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach") / "run"
    records = write(ReachRun(), folder)
    return folder, records, open_recording(folder)


def phase_of(step):
    """Phase of a control step by the timetable of `ArenaRun`."""
    ends = np.cumsum([phase.duration_s for phase in TIMETABLE.phases])
    return TIMETABLE.phases[int(np.searchsorted(ends, (step + 0.5) * 0.1))].name


def dish_mm(surface, task, at_px):
    """Turn pixels of the dish into mm, by the length of the scale bar that is drawn in its corner."""
    pixels = pygame.surfarray.array3d(surface)
    corner = pixels[task.left : task.left + task.width // 3, task.bottom - 30 : task.bottom]
    bar = (corner == (233, 236, 240)).all(axis=2).sum(axis=0).max()
    return (np.asarray(at_px) - task.center) / (bar - 1) * 10.0 * (1, -1)


def places_of(surface, rect, color):
    pixels = pygame.surfarray.array3d(surface.subsurface(rect))
    return np.argwhere((pixels == color).all(axis=2)) + rect.topleft


# -- the picture ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 57, 99, 100, 139, 140, 299])
def test_a_replay_shows_larvae_where_they_were_and_the_right_phase(arena, step):
    _, records, recording = arena
    screen, surface = Screen(RecordingSource(recording)), pygame.Surface(SIZE)
    state = ScreenState(step=step)
    screen.draw(surface, state)
    heads = records[step].values["position_mm"] * [(1, 1), (-1, 1), (1, 1)]
    dark = dish_mm(surface, screen.task, places_of(surface, screen.task, draw_arena.HEAD))
    assert len(dark) > 5
    for head in heads:
        assert np.hypot(*(dark - head).T).min() < 0.35
    # And nowhere else.
    assert max(np.hypot(*(heads - place).T).min() for place in dark) < 0.8
    labels = screen.labels(state)
    assert labels["phase"] == phase_of(step) == TIMETABLE.phases[records[step].values["phase"][0]].name
    assert labels["time"] == f"{(step + 1) / 10:.1f} s"
    assert labels["step"] == f"step {step} of 299"


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "from head and heading"])
def test_trails_are_those_of_the_middle_of_the_body_or_of_the_head(arena, tmp_path, recorded):
    _, records, recording = arena
    if not recorded:  # as before there was a centroid
        write(ArenaRun(), tmp_path / "run", behavior=("position_mm", "heading_rad", "bend_rad", "phase"))
        recording = open_recording(tmp_path / "run")
    screen = Screen(RecordingSource(recording))
    last = [records[k].values for k in (297, 298, 299)]
    head = np.stack([values["position_mm"] for values in last])
    heading = np.stack([values["heading_rad"] for values in last])
    behind = head - 2.0 * np.stack((np.cos(heading), np.sin(heading)), axis=-1)
    np.testing.assert_allclose(screen.scene.trail_mm(screen.moment(299))[-3:], behind, atol=1e-5)
    np.testing.assert_allclose(screen.scene.trail_mm(screen.moment(299), head=True)[-3:], head, atol=1e-5)
    player = Player(RecordingSource(recording))
    player.press("t", pygame.Surface(SIZE))
    assert player.state.head_trail


def test_a_replay_shows_the_hand_and_the_signals(reach):
    _, records, recording = reach
    screen, surface = Screen(RecordingSource(recording)), pygame.Surface(SIZE)
    outcomes = set()
    for step in range(0, 300, 7):
        state = ScreenState(step=step)
        screen.draw(surface, state)
        values = records[step].values
        hand = places_of(surface, screen.task, draw_reach.HAND)
        expected = screen.heads_px(step)[0]
        assert np.hypot(*(hand - expected).T).min() < 1.5
        has_signal = bool(values["observation"][0, 6:12].any())
        goes = len(places_of(surface, screen.task, draw_reach.GO))
        assert (goes > 1500) == has_signal
        labels = screen.labels(state)
        assert labels["phase"] == recording.layout.phases[values["phase"][0]]
        outcomes.add(labels["outcome"])
    assert "correct" in outcomes


def test_a_raster_shows_the_recorded_spikes_of_the_selected_animal(arena):
    _, records, recording = arena
    source = RecordingSource(recording)
    source.select(2)
    step, neuron = source.spikes(250, 200)
    expected = [
        (s, n)
        for record in records[51:251]
        for s, a, n in zip(record.spikes.step, record.spikes.animal, record.spikes.neuron, strict=True)
        if a == 2
    ]
    assert len(expected) > 1000
    assert list(zip(step, neuron, strict=True)) == expected


def test_a_large_raster_is_thinned_by_a_rule_that_is_written_above_it(reach):
    _, _, recording = reach
    assert raster_stride(recording.layout) == 3
    shown = np.flatnonzero(raster_neurons(recording.layout))
    np.testing.assert_array_equal(shown, np.arange(0, 3000, 3))
    source = RecordingSource(recording)
    _, neuron = source.spikes(299, 300)
    assert len(neuron) > 10_000
    assert set(neuron % 3) == {0}
    screen = Screen(source)
    panel = next(panel for panel in screen.panels if isinstance(panel, RasterPanel))
    assert "every 3rd of 3,000 neurons" in panel.title(source, Window(10, 5, 16, recording.layout))


def test_weights_are_those_recorded_last(arena):
    _, records, recording = arena
    source = RecordingSource(recording)
    source.select(1)
    recorded = recording.weights("KC>MBONp")
    for step in (0, 5, 150, 299):
        row = recorded["control_step"].values.searchsorted(step, side="right") - 1
        at = int(recorded["control_step"].values[row])
        assert step - at < 10
        np.testing.assert_allclose(
            source.weights(step)["KC>MBONp"], records[0].weights()["KC>MBONp"][1] - at * np.arange(40) / 40
        )


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (480, 800), (2560, 1440), (64, 48)])
def test_any_size_of_window_is_filled(arena, reach, size):
    for _, _, recording in (arena, reach):
        surface = pygame.Surface(size)
        Screen(RecordingSource(recording)).draw(surface, ScreenState(step=150, help=True, note="saved x.png"))
        assert pygame.surfarray.array3d(surface).std() > 5


def test_recordings_that_lack_something_are_shown_without_it(tmp_path):
    run = ArenaRun()
    config = RecorderConfig(
        behavior=("reward", "phase"),
        spike_populations=("MBONp",),
        spike_animals=(1,),
        weights_every_s=0,
        writer="inline",
    )
    with ZarrRecorder(tmp_path / "recording.zarr", run.layout, config) as recorder:
        for k in range(20):
            recorder.record(run.record(k))
    source = RecordingSource(open_recording(tmp_path / "recording.zarr"))
    screen, surface = Screen(source), pygame.Surface(SIZE)
    assert source.unlisted == ("KC", "MBONp")
    screen.draw(surface, ScreenState(step=10))
    source.select(1)
    assert source.unlisted == ("KC",)
    screen.draw(surface, ScreenState(step=10))
    assert set(source.spikes(19, 20)[1]) == {40}
    # Where the larvae were is not known either: panels have the place of the dish, and clicks hit no larva.
    assert screen.labels(ScreenState(step=10))["missing"] == "body not recorded"
    assert is_panel_up_to_both_sides(surface)
    assert screen.animal_at((SIZE[0] // 4, SIZE[1] // 2), 10) is None


def is_panel_up_to_both_sides(surface):
    row = pygame.surfarray.array3d(surface)[:, SIZE[1] // 2]
    filled = np.flatnonzero((row == PANEL).all(axis=1))
    return filled[0] < 20 and filled[-1] > SIZE[0] - 20


def test_without_a_body_panels_have_the_whole_width(reach):
    _, records, recording = reach
    layout = recording.layout
    live = LiveSource(replace(layout, scene={}, phases=(), variables={}), "cortex at rest", kept=100)
    spikes = records[0].spikes
    live.add(Batch(np.arange(1), {}, spikes.step, spikes.neuron, 0, 0.0))
    screen, surface = Screen(live), pygame.Surface(SIZE)
    screen.draw(surface, ScreenState())
    assert is_panel_up_to_both_sides(surface)
    assert "missing" not in screen.labels(ScreenState())
    with_body = Screen(RecordingSource(recording))
    with_body.draw(surface, ScreenState())
    assert with_body.task.width > SIZE[0] // 3
    screen.draw(surface, ScreenState(hidden={"r"}))
    middle = pygame.Rect(0, 0, 200, 30)
    middle.center = screen.task.right + SIZE[0] // 2, screen.task.centery
    assert len(places_of(surface, middle, DIM))


@pytest.mark.parametrize("clusters", [6, 20])
def test_names_of_lines_are_never_written_over_the_title(clusters):
    run = ReachRun(clusters=clusters, neurons=60 * clusters)
    live = LiveSource(run.layout, "run", kept=100)
    for k in range(20):
        record = run.record(k)
        values = {name: record.values[name][None] for name in viewed_variables(run.layout)}
        spikes = record.spikes
        live.add(Batch(np.array([k]), values, spikes.step, spikes.neuron, 0, 0.0))
    panel = next(one for one in panels_for(run.layout) if one.key == "f")
    size, named = 16, []
    for width in range(160, 1300, 20):
        surface = pygame.Surface((width, 120))
        panel.draw(surface, surface.get_rect(), live, Window(19, 20, size, run.layout))
        top = pygame.surfarray.array3d(surface)[:, : round(1.5 * size)]
        colored = [
            int((top == color).all(axis=2).any(axis=1).nonzero()[0].min(initial=width)) for color in COLORS
        ]
        end_of_title = np.flatnonzero((top == TEXT).all(axis=2).any(axis=1)).max()
        assert min(colored) > end_of_title
        named.append(max(colored) < width)
    # Names are there as soon as there is room for all of them: for 20 not beside a task in 1280 × 720.
    assert named == sorted(named)
    assert named[-1]
    assert named[(620 - 160) // 20] == (clusters == 6)


# -- keys and mouse ---------------------------------------------------------------------------------------


class Watched:
    """A player that gets events as pygame gives them."""

    def __init__(self, source, folder=None):
        self.surface = pygame.Surface(SIZE)
        self.player = Player(source, screenshots=folder)
        self.state = self.player.state
        self.player.advance(0.0)
        self.player.draw(self.surface)

    def key(self, name, sign=""):
        event = pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(name), unicode=sign)
        self.player.handle(event, self.surface)
        self.player.draw(self.surface)

    def mouse(self, kind, at):
        self.player.handle(pygame.event.Event(kind, pos=at, button=1), self.surface)
        self.player.draw(self.surface)


@pytest.fixture
def watched(arena, tmp_path):
    pygame.display.init()
    yield Watched(RecordingSource(arena[2]), tmp_path)
    pygame.display.quit()


def test_a_replay_goes_at_its_speed_and_stops_at_the_end(watched):
    watched.player.advance(3.0)
    assert watched.state.step == 30
    watched.key("+", "+")
    assert watched.state.speed == 2.0
    watched.player.advance(3.0)
    assert watched.state.step == 90
    watched.key("-", "-")
    watched.key("-", "-")
    assert watched.state.speed == 0.5
    watched.player.advance(2.0)
    assert watched.state.step == 100
    watched.player.advance(1e6)
    assert (watched.state.step, watched.state.paused) == (299, True)
    watched.key("space")
    watched.player.advance(0.1)
    assert (watched.state.step, watched.state.paused) == (0, False)


def test_keys_pause_step_and_seek(watched):
    watched.key("space")
    watched.player.advance(10.0)
    assert watched.state.step == 0
    for _ in range(3):
        watched.key("right")
    assert watched.state.step == 3
    watched.key("left")
    assert watched.state.step == 2
    watched.key("page down")
    assert watched.state.step == 32
    watched.key("end")
    watched.key("right")
    assert watched.state.step == 299
    watched.key("page up")
    assert watched.state.step == 269
    watched.key("home")
    watched.key("left")
    assert watched.state.step == 0
    watched.key("space")
    watched.key("right")  # while it plays: 5 s
    assert watched.state.step == 50


def test_the_time_bar_is_clicked_and_dragged(watched):
    bar = watched.player.screen.bar
    watched.key("space")
    for share in (0.25, 0.75, 0.5):
        at = bar.left + round(share * (bar.width - 1)), bar.centery
        watched.mouse(pygame.MOUSEBUTTONDOWN, at)
        assert watched.state.step == pytest.approx(share * 299, abs=1)
        assert watched.player.screen.bar_x(watched.state.step) == pytest.approx(at[0], abs=3)
    watched.mouse(pygame.MOUSEMOTION, (bar.right + 500, bar.centery))
    assert watched.state.step == 299
    watched.mouse(pygame.MOUSEBUTTONUP, bar.center)
    watched.mouse(pygame.MOUSEMOTION, bar.center)
    assert watched.state.step == 299


def test_animals_are_selected_by_key_and_by_click(watched):
    assert watched.player.source.animal == 0
    watched.key("tab")
    assert watched.player.source.animal == 1
    watched.key("tab")
    watched.key("tab")
    assert watched.player.source.animal == 0
    x, y = watched.player.screen.heads_px(watched.state.step)[2]
    watched.mouse(pygame.MOUSEBUTTONDOWN, (round(x), round(y)))
    assert watched.player.source.animal == 2
    watched.mouse(pygame.MOUSEBUTTONDOWN, watched.player.screen.task.topleft)
    assert watched.player.source.animal == 2


@pytest.mark.parametrize("key", ["r", "w", "f", "h"])
def test_panels_and_help_go_on_and_off(watched, key):
    watched.key("space")
    watched.player.draw(watched.surface)
    before = pygame.image.tobytes(watched.surface, "RGB")
    watched.key(key)
    assert pygame.image.tobytes(watched.surface, "RGB") != before
    watched.key(key)
    assert pygame.image.tobytes(watched.surface, "RGB") == before


def test_a_screenshot_is_what_is_seen(watched, tmp_path):
    watched.player.seek(123)
    watched.player.advance(0.0)
    watched.player.draw(watched.surface)
    seen = pygame.image.tobytes(watched.surface, "RGB")
    watched.key("s")
    (file,) = tmp_path.glob("*.png")
    assert "000123" in file.name
    assert pygame.image.tobytes(pygame.image.load(file), "RGB") == seen
    assert file.name in watched.state.note


def test_a_screenshot_that_cannot_be_saved_is_only_a_note(watched):
    watched.player._screenshots = watched.player._screenshots / "missing"
    watched.key("s")
    assert "no screenshot" in watched.state.note
    assert watched.player.is_open


def test_q_and_the_cross_close(arena):
    for event in (pygame.event.Event(pygame.QUIT), pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q)):
        watched = Watched(RecordingSource(arena[2]))
        watched.player.handle(event, watched.surface)
        assert not watched.player.is_open


def test_opening_and_closing_leaks_nothing_and_touches_no_audio(arena, monkeypatch):
    psutil = pytest.importorskip("psutil")
    monkeypatch.setenv("SDL_AUDIODRIVER", "none-such")
    process, source = psutil.Process(), RecordingSource(arena[2])

    def open_and_close():
        frames = []

        def stop(player):
            frames.append(player)
            player.is_open = len(frames) < 2

        show(source, at_each_frame=stop)
        assert not pygame.display.get_init()
        assert pygame.mixer.get_init() is None

    monkeypatch.setattr("ethospike.recorders.view.window.FPS", 10_000)
    for _ in range(10):
        open_and_close()
    before = process.memory_info().rss, process.num_fds(), process.num_threads()
    for _ in range(100):
        open_and_close()
    after = process.memory_info().rss, process.num_fds(), process.num_threads()
    assert after[1:] == before[1:]
    # A leaked window alone would be 100 × 3.7 MB.
    assert after[0] - before[0] < 30e6


def test_a_window_that_cannot_be_opened_is_an_error_with_advice(arena, monkeypatch):
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setenv("DISPLAY", ":9999")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ViewError, match="no window could be opened"):
        watch(arena[2])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"speed": 0.0}, "speed"),
        ({"animal": 3}, "0 … 2"),
        ({"start_s": float("nan")}, "start: expected seconds of simulated time, got nan"),
        ({"start_s": float("inf")}, "start: expected seconds of simulated time, got inf"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(arena, more, words):
    with pytest.raises(ViewError, match=words):
        watch(arena[2], Excerpt(**more))


# -- the live view ----------------------------------------------------------------------------------------


class Viewer:
    """Stands for the view's process: takes what it is sent, when the test says so."""

    def __init__(self, monkeypatch):
        self.link = None

        def popen(command, *, pass_fds, **_):
            self.link = socket.socket(fileno=os.dup(pass_fds[0]))
            self.inbox = Inbox(self.link)
            threading.Thread(target=self._begin).start()
            return self

        monkeypatch.setattr(live_view.subprocess, "Popen", popen)

    def _begin(self):
        self.layout, self.title, _ = self.inbox.wait()
        self.link.sendall(b"open\n")

    def wait(self, timeout=None):
        return 0


@pytest.fixture
def every_step(monkeypatch):
    """Frames as fast as steps come."""
    monkeypatch.setattr(live_view, "FRAME_S", 0.0)
    monkeypatch.setattr(live_view, "WEIGHTS_S", 0.0)


def test_what_a_live_view_gets_is_what_was_recorded(arena, monkeypatch, every_step, tmp_path):
    viewer, run = Viewer(monkeypatch), ArenaRun()
    view = LiveView(run.layout, "run")
    live = LiveSource(run.layout, "run", kept=window_steps(run.layout))
    for k in range(run.steps):
        view.record(run.record(k))
        for batch in viewer.inbox.receive():
            live.add(batch)
    view.close()
    viewer.link.close()
    recorded = RecordingSource(arena[2])
    assert live.skipped == 0
    assert (live.steps, recorded.steps) == (range(300), range(300))
    for last, n in ((299, 300), (150, 40), (3, 20)):
        for name in ("position_mm", "phase", "preference"):
            for one, other in zip(live.rows(name, last, n), recorded.rows(name, last, n), strict=True):
                np.testing.assert_array_equal(one, other)
        for one, other in zip(live.spikes(last, n), recorded.spikes(last, n), strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(live.weights(299)["KC>MBONp"], 80.0 - 299 * np.arange(40) / 40)
    # The same step, seen live and again, is the same picture but for header and time bar.
    pictures = []
    for source in (live, recorded):
        surface, screen = pygame.Surface(SIZE), Screen(source)
        screen.draw(surface, ScreenState(step=299))
        pictures.append(pygame.surfarray.array3d(surface)[:, screen.task.top : 560])
    np.testing.assert_array_equal(*pictures)


def test_a_live_view_forgets_what_it_does_not_show(monkeypatch, every_step):
    viewer, run = Viewer(monkeypatch), ArenaRun()
    view = LiveView(run.layout, "run")
    live = LiveSource(run.layout, "run", kept=50)
    for k in range(run.steps):
        view.record(run.record(k))
        for batch in viewer.inbox.receive():
            live.add(batch)
    view.close()
    viewer.link.close()
    assert live.steps == range(250, 300)
    steps, position = live.rows("position_mm", 299, 1000)
    assert position.shape == (len(steps), 3, 2)
    assert len(steps) <= 100
    assert len(live.spikes(299, 1000)[0]) < 60 * 102 / 2


def live_with_a_gap(kept=100):
    """A source that has control steps 0 … 9 and 20 … 29; those between were left out."""
    run = ArenaRun()
    live = LiveSource(run.layout, "run", kept=kept)
    records = [run.record(k) for k in range(30)]
    for some in (records[:10], records[20:]):
        live.add(
            Batch(
                steps=np.array([record.control_step for record in some]),
                values={
                    name: np.stack([record.values[name] for record in some])
                    for name in viewed_variables(run.layout)
                },
                spike_step=np.concatenate([record.spikes.step for record in some]),
                spike_neuron=np.concatenate([record.spikes.neuron for record in some]),
                animal=0,
                wall_s=0.0,
            )
        )
    return live


@pytest.mark.parametrize(
    ("step", "direction", "expected"),
    [
        (5, 0, 5),
        (5, 1, 5),
        (9, -1, 9),
        (12, 0, 9),
        (17, 0, 20),
        (12, 1, 20),
        (17, -1, 9),
        (-3, -1, 0),
        (99, 1, 29),
    ],
)
def test_the_nearest_step_of_those_that_were_not_left_out(step, direction, expected):
    assert live_with_a_gap().nearest(step, direction) == expected


def test_keys_cross_steps_that_were_left_out(tmp_path):
    pygame.display.init()
    live = live_with_a_gap()
    watched = Watched(live, tmp_path)
    assert watched.state.step == 29
    watched.key("space")
    for _ in range(10):
        watched.key("left")
    assert watched.state.step == 9
    watched.key("right")
    assert watched.state.step == 20
    seen = set()
    names = ("left", "page up", "home", "right", "page down", "end", "tab", "r", "w", "f", "h", "s")
    for _ in range(8):
        for name in names:
            for _ in range(1 + len(seen) % 4):
                watched.key(name)
                watched.player.advance(0.04)
                watched.player.draw(watched.surface)
                seen.add(watched.state.step)
    assert len(seen) > 8
    assert seen <= {*range(10), *range(20, 30)}
    # The step that was shown is forgotten: the nearest is.
    watched.state.step = 14
    watched.player.advance(0.0)
    watched.player.draw(watched.surface)
    assert watched.state.step == 9
    watched.state.step = 14
    click = pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=watched.player.screen.task.center, button=1)
    watched.player.handle(click, watched.surface)
    pygame.display.quit()


def test_a_busy_view_is_not_waited_for(monkeypatch, every_step):
    viewer, run = Viewer(monkeypatch), ArenaRun()
    view = LiveView(run.layout, "run")
    records = [run.record(k) for k in range(run.steps)]

    def repeated(k):
        record = records[k % len(records)]
        return type(record)(k, record.values, spikes=record.spikes, weights=record.weights)

    done = threading.Event()

    def loop():
        for k in range(5000):
            view.record(repeated(k))
        done.set()

    threading.Thread(target=loop, daemon=True).start()
    # Nobody reads: the loop comes to its end all the same.
    assert done.wait(60)
    assert view.skipped > 1000
    assert len(view._waiting) <= live_view.MOST_STEPS
    # As soon as somebody reads again, the newest steps are there.
    live = LiveSource(run.layout, "run", kept=600)
    for k in range(5000, 5010):
        for batch in viewer.inbox.receive():
            live.add(batch)
        view.record(repeated(k))
    for batch in viewer.inbox.receive():
        live.add(batch)
    assert live.steps[-1] == 5009
    assert live.skipped == view.skipped
    view.close()
    viewer.link.close()


def test_the_view_says_which_animal_it_shows(monkeypatch, every_step):
    viewer, run = Viewer(monkeypatch), ArenaRun()
    view = LiveView(run.layout, "run")
    live = LiveSource(run.layout, "run", kept=600)
    live.select(2)
    viewer.link.send(b"1\n2\n")
    expected = 0
    for k in range(20):
        record = run.record(k)
        expected += int((record.spikes.animal == 2).sum())
        view.record(record)
        for batch in viewer.inbox.receive():
            live.add(batch)
    assert len(live.spikes(19, 20)[0]) == expected > 100
    view.close()
    viewer.link.close()


def test_closing_the_window_ends_the_view_and_not_the_run(monkeypatch, every_step):
    viewer, run, told = Viewer(monkeypatch), ArenaRun(), []
    view = LiveView(run.layout, "run", tell=told.append)
    for k in range(5):
        view.record(run.record(k))
    viewer.link.close()
    for k in range(5, 20):
        view.record(run.record(k))
    assert told == ["the view was closed; the run goes on"]
    assert not view.is_open
    view.close()
    view.close()


def test_a_run_is_recorded_alike_with_and_without_a_view(tmp_path, arena, monkeypatch):
    # On busy cores the window closes late, and would be killed.
    monkeypatch.setattr(live_view, "CLOSE_TIMEOUT_S", PATIENCE_S)
    run = ArenaRun()
    with LiveView(run.layout, "run") as view:
        records = write(run, tmp_path / "run", (view,))
        assert view.is_open
        process = view._process
    assert process.returncode == 0
    seen, unseen = open_recording(tmp_path / "run").to_xarray(), arena[2].to_xarray()
    assert len(records) == 300
    for name, group in unseen.children.items():
        assert seen[name].to_dataset().identical(group.to_dataset()), name


def test_a_killed_view_is_a_closed_view(tmp_path):
    run, told = ArenaRun(), []
    view = LiveView(run.layout, "run", tell=told.append)
    view._process.kill()
    view._process.wait()
    for k in range(20):
        view.record(run.record(k))
        time.sleep(0.005)
    assert len(told) == 1
    view.close()


def test_without_a_display_the_run_is_not_begun(tmp_path):
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    environment.pop("SDL_VIDEODRIVER")
    words = ["run", "odor-conditioning", "--view", "--out", str(tmp_path / "run")]
    code = "import sys; from ethospike.scenarios.command.app import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "there is no display" in done.stderr
    assert "replay RUN --video" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_view_that_cannot_open_says_why(monkeypatch):
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setenv("DISPLAY", ":9999")
    with pytest.raises(ViewError, match=r"does not answer.*without --view"):
        LiveView(ArenaRun().layout, "run")


def test_messages_that_come_in_pieces_are_put_together():
    ours, theirs = socket.socketpair()
    inbox, message = Inbox(theirs), packed({"a": np.arange(50_000)})
    ours.sendall(message[:5])
    assert inbox.receive() == []
    ours.sendall(message[5:1000])
    assert inbox.receive() == []
    sender = threading.Thread(target=ours.sendall, args=(message[1000:] + packed("next") + packed("last"),))
    sender.start()
    got = []
    while len(got) < 3:
        got += inbox.receive()
    sender.join()
    np.testing.assert_array_equal(got[0]["a"], np.arange(50_000))
    assert got[1:] == ["next", "last"]
    ours.close()
    assert inbox.receive() == []
    assert inbox.is_over
    theirs.close()
