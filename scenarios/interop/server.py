"""A server at the address at which larvaworld's client looks for a remote mushroom body.

One thread serves one connection; larvae are independent, each with its lock. A client that is
silent, sends invalid data, or leaves in the middle loses its connection; other connections go on.
"""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any

from ethospike.errors import EthospikeError, ScenarioError
from ethospike.scenarios.interop import messages
from ethospike.scenarios.interop.brains import BrainSettings, Nursery
from ethospike.scenarios.interop.messages import FrameError, ProtocolError

PORT = 5795
"""Address at which larvaworld's client looks for a remote brain, on the same machine."""
SILENCE_S = 30.0
"""Time (s) after which a connection without a whole frame is closed; larvaworld sends one at once."""
CONNECTIONS = 256
"""Connections at a time; more are refused. larvaworld has a connection for each process."""
LAST_S = 2.0
"""Time (s) that connections have to end when the server ends."""
TIMES_KEPT = 100_000
"""Number of answers with times kept for the report at the end."""
SAID_AGAIN_S = 60.0
"""Time (s) after which a line is printed again, so that a client in a loop does not flood the terminal."""


class BrainServer(socketserver.ThreadingTCPServer):
    """A server that answers requests by the larvae of a `Nursery`.

    Parameters
    ----------
    settings : BrainSettings
    host, port : str, int
        Address to listen at; port 0 chooses a free port.
    forget_s : float
        Time without requests after which a larva is removed.
    silence_s : float
        Time after which a silent connection is closed.
    quiet : bool
        Print no lines on stderr.

    Raises
    ------
    ScenarioError
        When the address cannot be used.

    Attributes
    ----------
    nursery : Nursery
    exchanges : int
        Answered requests, including refused requests.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        settings: BrainSettings,
        host: str = "127.0.0.1",
        port: int = PORT,
        *,
        forget_s: float = 600.0,
        silence_s: float = SILENCE_S,
        quiet: bool = False,
    ) -> None:
        self.silence_s = silence_s
        self.exchanges = 0
        self.answer_ms: deque[float] = deque(maxlen=TIMES_KEPT)
        self._quiet = quiet
        self._said: dict[str, float] = {}
        self._free = threading.Semaphore(CONNECTIONS)
        self.nursery = Nursery(settings, forget_s=forget_s, say=self.say)
        try:
            super().__init__((host, port), _Connection)
        except (OSError, OverflowError) as error:
            raise ScenarioError(
                f"serve-brain: cannot listen on {host}:{port} ({error}); choose another by --port or --host"
            ) from error

    @property
    def port(self) -> int:
        """The port on which the server listens."""
        return int(self.server_address[1])

    def warm_up(self) -> None:
        """Run a hidden larva, so that clients do not wait for compilation."""
        nursery = Nursery(replace(self.nursery.settings, record=None))
        nursery.answer(messages.Request("warm-up", "larva_0", 0))
        nursery.close()

    def answer(self, payload: bytes) -> bytes:
        """Return the reply to a request as a frame.

        An error is a reply too: the client waits for ever without a reply.
        """
        begin_s = time.perf_counter()
        sim_id, model_id, step = "", "", 0
        try:
            request = messages.request_of(payload)
            sim_id, model_id, step = request.sim_id, request.model_id, request.step
            reply = self.nursery.answer(request)
        except EthospikeError as error:
            if not isinstance(error, ProtocolError) or not sim_id:
                sim_id, model_id, step = messages.ids_of(payload)
            reply = self._refusal(str(error))
        except Exception as error:  # a bug must not hang the simulation that asks
            reply = self._refusal(f"{type(error).__name__}: {error} (a fault of the server)")
        whole = messages.frame(messages.message(sim_id, model_id, step, **reply))
        self.exchanges += 1
        self.answer_ms.append(1000.0 * (time.perf_counter() - begin_s))
        return whole

    def _refusal(self, words: str) -> dict[str, Any]:
        """Return a reply without a preference that states the reason, and print the reason."""
        self.say(words)
        return {"MBONp": 0.0, "MBONn": 0.0, "OSN_rate": 0.0, "error": words[:400]}

    def say(self, line: str) -> None:
        """Print a line on stderr, unless it was printed a short while ago."""
        now_s = time.monotonic()
        if self._quiet or now_s - self._said.get(line, -SAID_AGAIN_S) < SAID_AGAIN_S:
            return
        if len(self._said) > 1000:
            self._said.clear()
        self._said[line] = now_s
        print(f"serve-brain: {line}", file=sys.stderr, flush=True)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a connection, or refuse it when there are too many."""
        if not self._free.acquire(blocking=False):
            self.say(f"more than {CONNECTIONS} connections at a time; one was refused")
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection until it ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def server_close(self) -> None:
        """Answer the pending requests, stop listening, and close all larvae.

        larvaworld's client goes on without a server that does not listen, but not from a connection that
        breaks.
        """
        if self.socket.fileno() >= 0:
            self._answer_the_last()
        super().server_close()
        until_s = time.monotonic() + LAST_S
        begun = 0
        while begun < CONNECTIONS and self._free.acquire(timeout=max(0.0, until_s - time.monotonic())):
            begun += 1
        if begun:
            self._free.release(begun)
        self.nursery.close()

    def _answer_the_last(self) -> None:
        """Begin the connections that wait to be accepted."""
        self.socket.setblocking(False)
        while True:
            try:
                request, address = self.get_request()
            except OSError:
                return
            self.process_request(request, address)


class _Connection(socketserver.BaseRequestHandler):
    """A handler that reads frames and sends replies until the client closes."""

    server: BrainServer
    request: socket.socket

    def handle(self) -> None:
        self.request.settimeout(self.server.silence_s)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while (payload := messages.read_frame(self.request)) is not None:
                self.request.sendall(self.server.answer(payload))
        except TimeoutError:
            self.server.say(f"a connection was silent for {self.server.silence_s:g} s and was closed")
        except (FrameError, OSError) as error:
            self.server.say(f"a connection was closed: {error}")
