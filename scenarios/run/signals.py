"""Signals that stop a run: collected during the run, reported after its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ethospike.errors import EthospikeError

SIGNALED = 128
"""Offset from the number of a signal to the exit code of a process ended by it, as in shells."""


class RunStopped(EthospikeError):
    """A run ended early because its process received a signal.

    Attributes
    ----------
    signal : int
        The number of the signal, such as `signal.SIGINT`.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number


@contextmanager
def collected_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM in a list, so that the loop ends between two control steps.

    A second Ctrl-C interrupts at once, as Python users expect. Only the main thread receives signals: a run
    in another thread, as in the workers of a sweep, is stopped by the process that started it.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def catch(number: int, frame: object) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
