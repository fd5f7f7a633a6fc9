"""The process that writes filled buffers to a recording; `link.py` starts it, and no file imports this one.

It outlives its parent for as long as it needs to save the parent's last steps, and it ignores Ctrl-C, which
the parent answers.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.disk import explain
from ethospike.recorders.format import INTERRUPTED
from ethospike.recorders.recorder import Layout
from ethospike.recorders.zarr_recorder.buffer import HEADER_BYTES, BufferShape, StepBuffer

PARENT_CHECK_S = 1.0
"""Interval of the check that the parent lives; the end of the connection tells it, unless the parent had
forked and the fork still holds it."""


class WriterLoop:
    """Serves one connection until it is closed or broken.

    Parameters
    ----------
    connection : Connection
    memory : mmap
        Header and buffers, shared with the parent.
    """

    def __init__(self, connection: Connection, memory: mmap.mmap) -> None:
        self._connection = connection
        self._memory = memory
        self._parent = os.getppid()

    def run(self) -> None:
        """Receive control steps, record them, and commit in time."""
        from ethospike.recorders.zarr_recorder.writer import RecordingWriter

        try:
            path, layout, config, resume_at, commit_after_s = self._connection.recv()
        except EOFError:
            return  # the loop ended before it began
        try:
            writer = RecordingWriter(path, layout, config, resume_at)
        except Exception as error:  # of any kind: the parent must hear of it
            self._connection.send(("error", explain(error, path)))
            return
        try:
            self._prepare(writer, layout, config)
            self._serve(commit_after_s)
        except Exception as error:  # likewise: the parent must hear of it
            writer.abandon()
            self._report(explain(error, path))

    def _prepare(self, writer: Any, layout: Layout, config: RecorderConfig) -> None:
        shape = BufferShape.of(layout, config)
        buffers = memoryview(self._memory)[HEADER_BYTES:]
        self._buffers = [StepBuffer(shape, buffers, i) for i in range(len(buffers) // shape.bytes)]
        self._writer = writer
        self._connection.send(("ready", (writer.steps, writer.last_phase())))

    def _serve(self, commit_after_s: float) -> None:
        due: float | None = None
        while True:
            wait = PARENT_CHECK_S if due is None else min(PARENT_CHECK_S, max(0.0, due - time.monotonic()))
            message = self._receive(wait)
            if message is not None:
                kind, *rest = message
                if kind == "block":
                    due = due or time.monotonic() + commit_after_s
                    self._append(*rest)
                    self._tell("free", *rest)
                elif kind == "dated":
                    self._writer.add_dated(*rest)
                elif kind == "commit":
                    self._writer.commit()
                    due = None
                    self._tell("committed", self._writer.committed_steps)
                elif kind == "close":
                    self._writer.close(*rest)
                    self._tell("closed", self._writer.committed_steps)
                    return
                elif kind == "lost":
                    self._save_the_rest()
                    return
            if due is not None and time.monotonic() >= due:
                self._writer.commit()
                due = None

    def _receive(self, wait_s: float) -> tuple[Any, ...] | None:
        """Return the next message, None if there is none yet, or `lost` when the parent is gone."""
        try:
            if self._connection.poll(wait_s):
                message: tuple[Any, ...] = self._connection.recv()
                return message
        except (EOFError, OSError):
            return ("lost",)
        return ("lost",) if os.getppid() != self._parent else None

    def _tell(self, kind: str, content: object) -> None:
        """Tell the loop; if it is gone, its earlier messages still wait to be received and recorded."""
        with contextlib.suppress(OSError):
            self._connection.send((kind, content))

    def _append(self, number: int) -> None:
        buffer = self._buffers[number]
        self._writer.append(buffer.block())
        buffer.filled[:] = 0

    def _save_the_rest(self) -> None:
        """Record the whole control steps of the buffer that the loop was filling when it died."""
        number = self._memory[1] - 1
        if number >= 0 and self._buffers[number].filled[0]:
            self._append(number)
        self._writer.close(INTERRUPTED)

    def _report(self, text: str) -> None:
        self._memory[0] = 1
        try:
            self._connection.send(("error", text))
        except OSError:
            print(text, file=sys.stderr)


def main() -> None:
    """Serve the connection and the memory with the file descriptors in the two arguments."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    connection_fd, memory_fd = map(int, sys.argv[1:3])
    with Connection(connection_fd) as connection:
        # The memory is not closed: after an error, the traceback may still hold views of it.
        WriterLoop(connection, mmap.mmap(memory_fd, 0)).run()


if __name__ == "__main__":
    main()
