"""Messages between a live view and its process: pickled, with their length first.

Both ends are this program on this machine, hence pickles.
"""

from __future__ import annotations

import pickle
import socket
from typing import Any

HEADER_BYTES = 8
READ_BYTES = 1 << 20


def packed(message: Any) -> bytes:
    """Return a message as bytes, for an `Inbox` at the other end."""
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(HEADER_BYTES, "little") + content


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

    def receive(self) -> list[Any]:
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
