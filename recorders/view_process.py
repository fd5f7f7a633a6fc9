"""The live view's process: takes batches from the loop as they come, and draws the newest state.

In: a socket, by its number on the command line. Out: a window. It ends when the window is closed, and when
the run does, whatever became of it. Run as `python -m ethospike.recorders.view_process`.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
from collections import deque
from typing import Any

from ethospike.recorders.live_view import ViewError, lower_priority
from ethospike.recorders.view_player import Player
from ethospike.recorders.view_screen import window_steps
from ethospike.recorders.view_source import Batch, LiveSource
from ethospike.recorders.view_window import show

READ_BYTES = 1 << 20
HEADER_BYTES = 8
MOST_WAITING = 25 * 60
"""Batches that are kept while the view is paused: those of a minute."""


class Inbox:
    """Messages that have come through a socket.

    Parameters
    ----------
    link : socket
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._buffer = bytearray()
        self.is_over = False

    def wait(self) -> Any:
        """Wait for one message.

        Raises
        ------
        EOFError
            When the other end is gone.
        """
        self._link.setblocking(True)
        while (message := self._next()) is None:
            self._read()
            if self.is_over:
                raise EOFError
        return message

    def take(self) -> list[Any]:
        """Return all messages that are there, without waiting."""
        self._link.setblocking(False)
        while not self.is_over:
            try:
                self._read()
            except BlockingIOError:
                break
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _read(self) -> None:
        try:
            received = self._link.recv(READ_BYTES)
        except ConnectionResetError:
            received = b""
        self.is_over = not received
        self._buffer += received

    def _next(self) -> Any:
        if len(self._buffer) < HEADER_BYTES:
            return None
        end = HEADER_BYTES + int.from_bytes(self._buffer[:HEADER_BYTES], "little")
        if len(self._buffer) < end:
            return None
        message = pickle.loads(bytes(self._buffer[HEADER_BYTES:end]))
        del self._buffer[:end]
        return message


def main(fd: int) -> None:
    """Show what comes through a socket until the window is closed or the run ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_priority()
    link = socket.socket(fileno=fd)
    inbox = Inbox(link)
    try:
        layout, title = inbox.wait()
    except EOFError:
        return
    source = LiveSource(layout, title, kept=window_steps(layout))
    waiting: deque[Batch] = deque()
    told = 0

    def at_each_frame(player: Player) -> None:
        nonlocal told
        waiting.extend(inbox.take())
        if player.state.paused:
            # What is looked at must not be forgotten; what comes meanwhile is, when it is too much.
            while len(waiting) > MOST_WAITING:
                waiting.popleft()
        while waiting and not player.state.paused:
            source.take(waiting.popleft())
        if inbox.is_over:
            player.is_open = False
        elif told != source.animal:
            told = source.animal
            link.send(f"{told}\n".encode())

    try:
        show(source, at_each_frame=at_each_frame, opened=lambda: link.sendall(b"open\n"))
    except ViewError as error:
        link.setblocking(True)
        link.sendall(f"{error}\n".encode())
    except (BrokenPipeError, ConnectionResetError):
        # The run ended between two frames.
        return
    finally:
        link.close()


if __name__ == "__main__":
    # pygame greets on standard output, which belongs to the run.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    main(int(sys.argv[1]))
