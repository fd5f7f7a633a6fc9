"""The loop's side of the writer: buffers to fill, for a process of its own or the disk at once.

The process is a fresh interpreter, never a fork, because a fork after `import nest` is unsafe, and not one
of `multiprocessing`, which would run the user's script a second time. There are a few buffers and no more:
when the disk is slower than the loop, the loop waits for a free one, and memory does not grow.
"""

from __future__ import annotations

import mmap
import os
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ethospike.errors import RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.disk import explain
from ethospike.recorders.recorder import Layout
from ethospike.recorders.zarr_recorder.buffer import HEADER_BYTES, BufferShape, Dated, StepBuffer

N_BUFFERS = 4
"""One is being filled and one written; the others bridge a commit, which takes some tenths of a second."""
START_TIMEOUT_S = 120.0
"""Time for the start of the writer; on a busy machine with a cold disk, seconds."""
END_TIMEOUT_S = 20.0
"""Time after which a writer that has failed is killed, which harms nothing committed."""


class WriterLink(ABC):
    """Destination of filled buffers.

    Attributes
    ----------
    first_step : int
        The control step that the recording expects next.
    last_phase : bytes or None
        The variable `phase` in the last recorded step; None before the first.
    failed : bool
        True after a failure was reported.
    """

    first_step: int
    last_phase: bytes | None
    failed: bool = False

    @abstractmethod
    def acquire(self) -> StepBuffer:
        """Return an empty buffer, waiting for one if need be."""

    @abstractmethod
    def submit(self, buffer: StepBuffer) -> None:
        """Hand over a filled buffer."""

    @abstractmethod
    def send_dated(self, group: str, dated: Dated) -> None:
        """Hand over weights or intervals of the control step that is being recorded."""

    @abstractmethod
    def commit(self) -> int:
        """Make everything handed over permanent; return the number of its control steps."""

    @abstractmethod
    def close(self, status: str) -> None:
        """Commit and end with a status."""

    @abstractmethod
    def check(self) -> None:
        """Raise `RecordingError` if writing has failed; cheap."""


class InlineLink(WriterLink):
    """Writes in the calling process; for tests, and where a second process is not wanted."""

    def __init__(self, path: Path, layout: Layout, config: RecorderConfig, resume_at: int | None) -> None:
        from ethospike.recorders.zarr_recorder.writer import RecordingWriter

        self._path = path
        with _Explained(path):
            self._writer = RecordingWriter(path, layout, config, resume_at)
        self.first_step, self.last_phase = self._writer.steps, self._writer.last_phase()
        shape = BufferShape.of(layout, config)
        self._buffer = StepBuffer(shape, memoryview(bytearray(shape.bytes)), 0)
        self._commit_every_s = config.commit_every_s
        self._last_commit = time.monotonic()

    def acquire(self) -> StepBuffer:
        """Return the buffer, of which there is one."""
        return self._buffer

    def submit(self, buffer: StepBuffer) -> None:
        """Write it."""
        with _Explained(self._path, self._give_up):
            self._writer.append(buffer.block())
        buffer.filled[:] = 0
        if time.monotonic() - self._last_commit >= self._commit_every_s:
            self.commit()

    def send_dated(self, group: str, dated: Dated) -> None:
        """Keep it until its control step is written."""
        self._writer.add_dated(group, dated)

    def commit(self) -> int:
        """Commit."""
        with _Explained(self._path, self._give_up):
            self._writer.commit()
        self._last_commit = time.monotonic()
        return self._writer.committed_steps

    def close(self, status: str) -> None:
        """Commit and end."""
        with _Explained(self._path, self._give_up):
            self._writer.close(status)

    def check(self) -> None:
        """Do nothing: failures were raised where they happened."""

    def _give_up(self) -> None:
        self.failed = True
        self._writer.abandon()


class ProcessLink(WriterLink):
    """Writes in a process of its own."""

    def __init__(self, path: Path, layout: Layout, config: RecorderConfig, resume_at: int | None) -> None:
        self._path = path
        shape = BufferShape.of(layout, config)
        size = HEADER_BYTES + N_BUFFERS * shape.bytes
        self._closed = False
        self._memory, memory_fd = _shared_memory(size)
        ours, theirs = socket.socketpair()
        fds = (theirs.fileno(), memory_fd)
        # -P: a file of the working directory that is called like a package must not be taken for it.
        command = [sys.executable, "-P", "-m", "ethospike.recorders.zarr_recorder.process", *map(str, fds)]
        try:
            # A session of its own: Ctrl-C in the terminal is for the loop, also while the writer starts.
            self._process = subprocess.Popen(
                command, pass_fds=fds, stdin=subprocess.DEVNULL, start_new_session=True
            )
        finally:
            theirs.close()
            os.close(memory_fd)
        self._connection = Connection(ours.detach())
        buffers = memoryview(self._memory)[HEADER_BYTES:]
        self._free = [StepBuffer(shape, buffers, i) for i in range(N_BUFFERS)]
        self._lent: dict[int, StepBuffer] = {}
        try:
            commit_after_s = max(0.0, config.commit_every_s - handover_s(config))
            self._send((path, layout, config, resume_at, commit_after_s))
            self.first_step, self.last_phase = self._wait_for("ready", START_TIMEOUT_S)
        except BaseException:
            self._end(END_TIMEOUT_S)
            raise

    def acquire(self) -> StepBuffer:
        """Return a free buffer; wait for the writer if there is none."""
        while self._connection.poll():
            self._take_in(self._receive())
        while not self._free:
            self._take_in(self._receive())
        buffer = self._free.pop()
        self._memory[1] = buffer.number + 1
        return buffer

    def submit(self, buffer: StepBuffer) -> None:
        """Give the buffer to the writer."""
        # From here on it is the writer's; should this process die now, the buffer must not count twice.
        self._memory[1] = 0
        self._lent[buffer.number] = buffer
        self._send(("block", buffer.number))

    def send_dated(self, group: str, dated: Dated) -> None:
        """Send it ahead of the buffer that holds its control step."""
        self._send(("dated", group, dated))

    def commit(self) -> int:
        """Ask for a commit and wait for it."""
        self._send(("commit",))
        return int(self._wait_for("committed"))

    def close(self, status: str) -> None:
        """Have the writer end, and wait for it."""
        try:
            self.check()
            self._send(("close", status))
            self._wait_for("closed")
        finally:
            self._end()

    def check(self) -> None:
        """Raise if the writer has set the flag of failure."""
        if self._memory[0]:
            while not self.failed:
                self._take_in(self._receive())

    # -- messages -----------------------------------------------------------------------------------

    def _send(self, message: tuple[Any, ...]) -> None:
        try:
            self._connection.send(message)
        except OSError:
            # The writer has gone; if it could still say why, the reason waits to be read.
            while True:
                self._take_in(self._receive())

    def _receive(self, timeout_s: float | None = None) -> tuple[Any, ...]:
        try:
            if self._connection.poll(timeout_s):
                message: tuple[Any, ...] = self._connection.recv()
                return message
            reason = f"did not answer within {timeout_s:.0f} s"
        except (EOFError, OSError):
            reason = f"ended unexpectedly (exit code {self._wait(END_TIMEOUT_S)})"
        return (
            "error",
            f"the process that writes {self._path} {reason}; what was committed before is safe",
        )

    def _take_in(self, message: tuple[Any, ...]) -> tuple[Any, ...]:
        """Carry a message out; raise if it reports a failure."""
        if message[0] == "free":
            self._free.append(self._lent.pop(message[1]))
        elif message[0] == "error":
            self.failed = True
            self._end(END_TIMEOUT_S)
            raise RecordingError(message[1])
        return message

    def _wait_for(self, kind: str, timeout_s: float | None = None) -> Any:
        while True:
            received, *rest = self._take_in(self._receive(timeout_s))
            if received == kind:
                return rest[0]

    def _end(self, patience_s: float | None = None) -> None:
        """Close the connection, at which the writer ends; whatever it still has, it writes first."""
        if not self._closed:
            self._closed = True
            self._connection.close()
            self._wait(patience_s)

    def _wait(self, patience_s: float | None) -> int:
        """Return the exit code of the writer, which is killed when it does not end in this time (s)."""
        try:
            return self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def handover_s(config: RecorderConfig) -> float:
    """Return the wall time (s) after which a buffer is handed over at the latest."""
    return min(1.0, config.commit_every_s / 10.0)


def _shared_memory(size: int) -> tuple[mmap.mmap, int]:
    """Return memory that a child can map, and its file descriptor; it vanishes with its last user."""
    try:
        fd = os.memfd_create("ethospike-recording")
    except (AttributeError, OSError):  # not Linux, or a sandbox without it
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return mmap.mmap(fd, size), fd


class _Explained:
    """Turns the errors of writing into `RecordingError`s with a remedy."""

    def __init__(self, path: Path, on_error: Callable[[], None] = lambda: None) -> None:
        self._path, self._on_error = path, on_error

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, (OSError, RecordingError)):
            self._on_error()
            raise RecordingError(explain(error, self._path)) from error
