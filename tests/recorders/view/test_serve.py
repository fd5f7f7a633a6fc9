"""A view in a browser: the address, the pictures, the keys, and the end."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pygame
import pytest
import view_runs
from PIL import Image

from ethospike.errors import ViewError
from ethospike.recorders.recording import Recording, open_recording
from ethospike.recorders.view.checks import Excerpt
from ethospike.recorders.view.live import LiveView
from ethospike.recorders.view.player import Player
from ethospike.recorders.view.replay import watch_in_browser
from ethospike.recorders.view.serve import Listening, serve
from ethospike.recorders.view.serve.page import page
from ethospike.recorders.view.serve.server import BGRX, encoded
from ethospike.recorders.view.source import RecordingSource

LONGEST_S = 30.0


class Browser:
    """A reader of a served view."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = str(parts.hostname), int(parts.port or 0)
        self.token = parse_qs(parts.query)["token"][0]
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def ask(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: Any = None
    ) -> HTTPResponse:
        connection = HTTPConnection(self.host, self.port, timeout=LONGEST_S)
        connection.request(method, path, body, headers or {})
        return connection.getresponse()

    def send(self, **event: Any) -> int:
        return self.ask("/event", self.headers, "POST", json.dumps(event)).status

    def watch(self) -> Iterator[bytes]:
        """Yield the pictures until the view says that it has ended."""
        answer = self.ask("/frames", self.headers)
        assert answer.status == 200
        while length := int.from_bytes(answer.read(4), "big"):
            yield answer.read(length)
        assert answer.read() == b""


@contextmanager
def served(
    source: RecordingSource, at_each_frame: Any = lambda player: None, **options: Any
) -> Iterator[Browser]:
    """A view that is served by a thread; it must have ended when the context does."""
    opened, addresses = threading.Event(), []

    def tell(address: str) -> None:
        addresses.append(address)
        opened.set()

    view = threading.Thread(
        target=serve, args=(source,), kwargs={"opened": tell, "at_each_frame": at_each_frame, **options}
    )
    view.start()
    assert opened.wait(LONGEST_S)
    browser = Browser(addresses[0])
    try:
        yield browser
    finally:
        with suppress(OSError):  # a view that ends by itself hangs up
            browser.send(key="q")
        view.join(LONGEST_S)
        assert not view.is_alive()
        with pytest.raises(OSError, match=r".*"):  # nobody listens any more
            browser.ask("/")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("served") / "run"
    view_runs.write(view_runs.ArenaRun(), folder)
    return open_recording(folder)


def test_nothing_is_answered_without_the_token(recording: Recording) -> None:
    with served(RecordingSource(recording)) as browser:
        assert len(browser.token) >= 22  # 128 bits and more
        assert browser.host == "127.0.0.1"
        wrong = browser.token[:-1] + ("a" if browser.token[-1] != "a" else "b")
        for path in ("/", "/frames", "/event", "/nowhere", f"/?token={wrong}", "/?token=", "/?token=%00%ff"):
            answer = browser.ask(path)
            assert answer.status == 403, path
            assert browser.token.encode() not in answer.read()
        assert browser.ask("/event", {}, "POST", '{"key": "q"}').status == 403
        assert browser.ask("/frames", {"Authorization": "Bearer é"}).status == 403
        answer = browser.ask(f"/?token={browser.token}")
        assert answer.status == 200
        assert b"<canvas" in answer.read()
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert browser.ask("/nowhere", browser.headers).status == 404


def test_pictures_come_and_keys_and_mouse_reach_the_view(recording: Recording) -> None:
    seen: list[Player] = []
    source = RecordingSource(recording)
    with served(source, lambda player: seen.append(player) if not seen else None, start=100) as browser:
        pictures = browser.watch()
        first = Image.open(io.BytesIO(next(pictures)))
        assert (first.format, first.size) == ("JPEG", (1280, 720))
        assert len(first.convert("L").getcolors(256) or []) > 20  # it is not one color
        (player,) = seen
        assert browser.send(key="space") == 200
        for _ in zip(range(50), pictures, strict=False):
            if player.state.paused:
                break
        assert player.state.paused
        assert player.state.step >= 100
        browser.send(key="home")
        browser.send(key="right")
        browser.send(key="tab")
        browser.send(key="r")
        browser.send(size=[900, 500])
        for picture in pictures:
            if Image.open(io.BytesIO(picture)).size == (900, 500):
                break
        assert player.state.step == 1
        assert source.animal == 1
        assert player.state.hidden == {"r"}
        browser.send(down=[player.screen.bar.right - 1, player.screen.bar.centery])
        for _ in pictures:
            if player.state.step > 1:
                break
        assert player.state.step >= 290  # the time bar was clicked at its end
        browser.send(key="q")
        assert len(list(pictures)) < 20  # the end is told


def test_a_replay_waits_for_its_first_reader(recording: Recording) -> None:
    steps: list[int] = []
    with served(RecordingSource(recording), lambda player: steps.append(player.state.step)) as browser:
        while len(steps) < 10:
            pass
        assert set(steps) == {0}
        for _ in browser.watch():
            if steps[-1] > 0:
                break
        assert steps[-1] > 0


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"key": ["q"]},
        {"size": [1]},
        {"size": ["a", "b"]},
        {"size": [1e300, 1]},
        {"down": None},
        {"x": "q"},
    ],
)
def test_an_event_that_is_none_changes_nothing(recording: Recording, event: dict[str, Any]) -> None:
    with served(RecordingSource(recording)) as browser:
        assert browser.send(**event) == 200
        assert browser.ask("/event", browser.headers, "POST", "not json").status == 400
        assert browser.ask("/event", browser.headers, "POST", "[1]").status == 400
        assert browser.ask("/event", browser.headers, "POST", "x" * 5000).status == 400
        assert Image.open(io.BytesIO(next(browser.watch()))).size == (1280, 720)


def test_an_address_that_is_taken_is_one_message(recording: Recording) -> None:
    with (
        served(RecordingSource(recording)) as browser,
        pytest.raises(ViewError, match=rf"cannot listen on 127\.0\.0\.1 port {browser.port}"),
    ):
        serve(RecordingSource(recording), Listening(port=browser.port))
    with pytest.raises(ViewError, match="port: expected 0 … 65535, got 70000"):
        serve(RecordingSource(recording), Listening(port=70000))
    with pytest.raises(ViewError, match=r"animal: expected 0 … 2, got 9"):
        watch_in_browser(recording, Excerpt(animal=9))


def test_a_picture_does_not_depend_on_the_layout_of_a_surface() -> None:
    """The usual layout is read as it lies in memory, others are converted first."""
    colors = np.random.default_rng(1).integers(0, 256, (61, 37, 3), np.uint8)
    pictures = []
    for masks in ((*BGRX, 0), (0xFF, 0xFF00, 0xFF0000, 0)):
        surface = pygame.Surface((61, 37), 0, 32, masks)
        pygame.surfarray.blit_array(surface, colors)
        pictures.append(encoded(surface))
    assert pictures[0] == pictures[1]
    seen = np.asarray(Image.open(io.BytesIO(pictures[0]))).swapaxes(0, 1).astype(int)
    assert np.corrcoef(seen.ravel(), colors.ravel())[0, 1] > 0.95, "red, green and blue are in their places"


def test_the_title_of_a_run_is_escaped() -> None:
    assert "<script>alert" not in page("</title><script>alert(1)</script>")


def test_a_run_is_served_while_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    run, told = view_runs.ArenaRun(), []
    with LiveView(run.layout, "toy", listening=Listening(), tell=told.append) as view:
        browser = Browser(told[0].split()[-1])
        pictures = browser.watch()
        next(pictures)
        for k in range(run.steps):
            view.record(run.record(k))
        assert view.is_open
        next(pictures)
    assert len(list(pictures)) < 50  # the view has ended with its run, and says so
    assert told == [told[0]]
