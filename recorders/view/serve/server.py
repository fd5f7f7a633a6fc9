"""Serve a view to browsers: the same pictures and keys as in a window, on a machine without a display."""

from __future__ import annotations

import io
import math
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pygame
from PIL import Image

from ethospike.errors import ViewError
from ethospike.recorders.view.player import Player
from ethospike.recorders.view.serve.frames import Exchange
from ethospike.recorders.view.serve.handler import handler_of
from ethospike.recorders.view.source import ViewSource

FPS = 25
SIZE_PX = (1280, 720)
SMALLEST_PX, LARGEST_PX = (480, 320), (1920, 1200)
"""Sizes of a picture; a larger browser window shows it enlarged."""
JPEG = {"quality": 85, "subsampling": 0}
"""Colors as fine as brightness: thin lines and small text need it."""
BGRX = (0xFF0000, 0xFF00, 0xFF)
"""Masks of red, green and blue of a surface whose bytes are blue, green, red and one more."""
STILL_S = 1.0
"""Time between two pictures while nothing moves."""
FAREWELL_S = 3.0
TOKEN_BYTES = 18


@dataclass(frozen=True)
class Listening:
    """The address of a served view.

    Parameters
    ----------
    host : str
        127.0.0.1 admits this machine alone; another address admits everybody who has the token.
    port : int
        0 takes any free port.
    """

    host: str = "127.0.0.1"
    port: int = 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def serve(
    source: ViewSource,
    listening: Listening | None = None,
    *,
    speed: float = 1.0,
    start: int = 0,
    screenshots: Path | None = None,
    at_each_frame: Callable[[Player], None] = lambda player: None,
    opened: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve a source to browsers until a reader presses q.

    A replay waits for its first reader, and whenever the last one is gone.

    Parameters
    ----------
    source, speed, start, screenshots, at_each_frame
        As of `window.show`.
    listening : Listening, optional
        By default any port of this machine's own address.
    opened : callable(address)
        Called with the address, token included, when the server answers.

    Raises
    ------
    ViewError
        When the address cannot be listened on.
    """
    exchange, token = Exchange(), secrets.token_urlsafe(TOKEN_BYTES)
    server = _open(listening or Listening(), handler_of(exchange, token, source.title))
    thread = threading.Thread(target=server.serve_forever, name="view server", daemon=True)
    thread.start()
    try:
        opened(f"{_origin(server)}/?token={token}")
        _play(Player(source, speed=speed, screenshots=screenshots), start, exchange, at_each_frame)
    finally:
        exchange.end(FAREWELL_S)
        server.shutdown()
        server.server_close()
        thread.join()


def _open(listening: Listening, handler: Any) -> _Server:
    """Return a server that listens.

    Raises
    ------
    ViewError
        When it cannot.
    """
    if not 0 <= listening.port < 1 << 16:
        raise ViewError(f"port: expected 0 … 65535, got {listening.port}")
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    kind = type("_Server", (_Server,), {"address_family": family})
    try:
        server: _Server = kind((listening.host, listening.port), handler)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ViewError(
            f"cannot listen on {listening.host} port {listening.port}: {why}; choose another by --port "
            f"(0 is any free one) or --host"
        ) from error
    return server


def _origin(server: _Server) -> str:
    host, port = str(server.server_address[0]), int(server.server_address[1])
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _play(player: Player, start: int, exchange: Exchange, at_each_frame: Callable[[Player], None]) -> None:
    """Draw pictures at an even pace until the view is closed."""
    surface, clock = pygame.Surface(SIZE_PX), pygame.time.Clock()
    player.seek(start)
    passed_s, drawn_s, watching = 0.0, -math.inf, 0
    while player.is_open:
        at_each_frame(player)
        events = exchange.events()
        for event in events:
            surface = _apply(event, player, surface)
        is_new = exchange.watching > watching
        watching = exchange.watching
        if watching or player.source.is_live:
            player.advance(passed_s)
        is_moving = not player.state.paused or events or is_new or player.state.note
        if watching and (is_moving or time.monotonic() - drawn_s > STILL_S):
            player.draw(surface)
            exchange.publish(encoded(surface))
            drawn_s = time.monotonic()
        passed_s = min(0.5, clock.tick(FPS) / 1000.0)


def encoded(surface: pygame.Surface) -> bytes:
    """Return a picture as JPEG."""
    out = io.BytesIO()
    if (
        surface.get_masks()[:3] == BGRX and surface.get_bytesize() == 4
    ):  # the usual layout: read it as it lies
        pixels, layout = surface.get_buffer(), ("raw", "BGRX", surface.get_pitch(), 1)
        image = Image.frombytes("RGB", surface.get_size(), pixels, *layout)
    else:
        image = Image.frombytes("RGB", surface.get_size(), pygame.image.tobytes(surface, "RGB"))
    image.save(out, "JPEG", **JPEG)
    return out.getvalue()


def _apply(event: Mapping[str, Any], player: Player, surface: pygame.Surface) -> pygame.Surface:
    """Apply an event of a browser; return the surface, of another size if it asks for one.

    What is no event is left alone: it comes through a network.
    """
    key = event.get("key")
    if isinstance(key, str):
        player.press(key, surface)
        return surface
    kinds = {"down": pygame.MOUSEBUTTONDOWN, "move": pygame.MOUSEMOTION, "up": pygame.MOUSEBUTTONUP}
    for name, kind in kinds.items():
        if (place := _pair(event.get(name))) is not None:
            player.handle(pygame.event.Event(kind, pos=place, button=1), surface)
    if (size := _pair(event.get("size"))) is not None:
        bounds = zip(size, SMALLEST_PX, LARGEST_PX, strict=True)
        width, height = (min(max(side, least), most) for side, least, most in bounds)
        if (width, height) != surface.get_size():
            return pygame.Surface((width, height))
    return surface


def _pair(value: object) -> tuple[int, int] | None:
    """Return two whole numbers of a sensible size, or None."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    if not all(isinstance(side, (int, float)) and abs(side) < 1e5 for side in value):
        return None
    return int(value[0]), int(value[1])
