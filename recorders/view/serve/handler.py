"""The answers of a view's server: the page, the pictures, the input. Nothing without the token."""

from __future__ import annotations

import hmac
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ethospike.recorders.view.serve.frames import Exchange
from ethospike.recorders.view.serve.page import page, policy

MOST_BROWSERS = 8
LONGEST_EVENT = 4096
PATIENCE_S = 20.0
"""Time for a browser to take a picture, or to send a request; then its connection is closed."""
REPEAT_S = 2.0
"""A picture is sent again after this time without a newer one, to notice browsers that are gone."""
LENGTH_BYTES = 4


class Handler(BaseHTTPRequestHandler):
    """Answers one browser. Subclasses set the attributes, see `handler_of`."""

    exchange: Exchange
    token: str
    title: str
    server_version = "ethospike"
    sys_version = ""
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        """Answer with the page, or with pictures until the view ends."""
        path = urlsplit(self.path).path
        if not self._is_allowed():
            self._refuse(HTTPStatus.FORBIDDEN, "this address needs its token, as ethospike printed it")
        elif path == "/":
            self._answer(page(self.title).encode(), "text/html; charset=utf-8")
        elif path == "/frames":
            self._stream()
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        """Take an event."""
        if not self._is_allowed():
            self._refuse(HTTPStatus.FORBIDDEN, "this address needs its token, as ethospike printed it")
            return
        length = self.headers.get("Content-Length", "")
        if urlsplit(self.path).path != "/event" or not length.isdecimal() or int(length) > LONGEST_EVENT:
            self._refuse(HTTPStatus.BAD_REQUEST, f"expected an event of at most {LONGEST_EVENT} bytes")
            return
        try:
            event = json.loads(self.rfile.read(int(length)))
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._refuse(HTTPStatus.BAD_REQUEST, "expected a JSON object")
            return
        self.exchange.put(event)
        self._answer(b"", "text/plain")

    def _is_allowed(self) -> bool:
        """Return True if the request has the token, in its address or its header."""
        given = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
        header = self.headers.get("Authorization", "")
        given = header.removeprefix("Bearer ") if header.startswith("Bearer ") else given
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _stream(self) -> None:
        """Send pictures, each with its length, until the view ends or the browser is gone."""
        if not self.exchange.enter(MOST_BROWSERS):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, f"{MOST_BROWSERS} browsers watch already")
            return
        try:
            self._head(HTTPStatus.OK, "application/octet-stream", None)
            number = 0
            while (newest := self.exchange.next(number, REPEAT_S)) is not None:
                number, picture = newest
                if picture:
                    self.wfile.write(len(picture).to_bytes(LENGTH_BYTES, "big") + picture)
            self.wfile.write(bytes(LENGTH_BYTES))
        except OSError:
            pass  # the browser is gone, or takes nothing any more
        finally:
            self.close_connection = True
            self.exchange.leave()

    def _answer(self, content: bytes, kind: str) -> None:
        self._head(HTTPStatus.OK, kind, len(content))
        self.wfile.write(content)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        content = why.encode()
        self._head(status, "text/plain; charset=utf-8", len(content))
        self.wfile.write(content)

    def _head(self, status: HTTPStatus, kind: str, length: int | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", policy())
        self.end_headers()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal clean: a request would print the token."""


def handler_of(exchange: Exchange, token: str, title: str) -> type[Handler]:
    """Return a handler for one view."""
    return type("ViewHandler", (Handler,), {"exchange": exchange, "token": token, "title": title})
