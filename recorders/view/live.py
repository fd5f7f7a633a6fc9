"""The live view: a recorder that shows the run in the window of another process.

Batches of step records go to the process some 25 times a second, and only when it is ready; the run never
waits. Steps for which there was no time are left out of the picture, never out of the run. The process is a
fresh interpreter, because a fork after `import nest` is unsafe.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ethospike.errors import ViewError
from ethospike.recorders.recorder import Layout, Recorder, StepRecord
from ethospike.recorders.view.link import packed
from ethospike.recorders.view.source import Batch, raster_neurons, viewed_variables

if TYPE_CHECKING:
    from ethospike.recorders.view.serve import Listening

FRAME_S = 1.0 / 25.0
"""Time on the wall between batches: a smooth picture."""
WEIGHTS_S = 1.0
"""Time on the wall between looks at the weights, which a GPU has to copy."""
MOST_STEPS = 256
"""Control steps in a batch at most; when the run is faster, the oldest are left out."""
MOST_SPIKES = 200_000
"""Spikes, of all animals, that wait for a batch at most, so that a busy view does not hold memory."""
START_TIMEOUT_S = 60.0
"""Longest time for the window to open (s); on a busy machine with a cold disk it takes seconds."""
CLOSE_TIMEOUT_S = 20.0


def _tell(words: str) -> None:
    print(f"ethospike: {words}", file=sys.stderr)


class LiveView(Recorder):
    """Shows a run in a window while it goes on; closing the window ends the view, not the run.

    Parameters
    ----------
    layout : Layout
    title : str
        Name of the run in the window's title.
    listening : Listening, optional
        Serve the view to browsers at this address instead of opening a window.
    tell : callable(str)
        Called with the address of a served view, and when the view has ended; by default standard error.

    Raises
    ------
    ViewError
        When no window can be opened; the message has the remedy.

    Examples
    --------
    >>> run_scenario(scenario, config, path, listeners=[LiveView])  # doctest: +SKIP
    """

    def __init__(
        self,
        layout: Layout,
        title: str = "run",
        *,
        listening: Listening | None = None,
        tell: Callable[[str], None] = _tell,
    ) -> None:
        self._tell = tell
        self._listening = listening
        self._layout = layout
        self._names = viewed_variables(layout)
        self._shown = raster_neurons(layout)
        self._animal = 0
        self._waiting: deque[tuple[StepRecord, int]] = deque()
        self._waiting_spikes = 0
        self._skipped = 0
        self._next_s = self._next_weights_s = 0.0
        self._unsent = memoryview(b"")
        self._is_open = False
        ours, theirs = socket.socketpair()
        # -P: a file of the working directory that is called like a package must not be taken for it.
        command = [sys.executable, "-P", "-m", "ethospike.recorders.view.process", str(theirs.fileno())]
        # The run has the same Ctrl-C; it ends the run first, and the view with it.
        self._process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        self._socket = ours
        self._begin(title)

    @property
    def is_open(self) -> bool:
        """True while the window is there."""
        return self._is_open

    @property
    def skipped(self) -> int:
        """Control steps that were left out of the picture so far."""
        return self._skipped

    def record(self, record: StepRecord) -> None:
        """Take one control step; show it if it is time for a frame."""
        if not self._is_open:
            return
        spikes = 0 if record.spikes is None else len(record.spikes.step)
        self._waiting.append((record, spikes))
        self._waiting_spikes += spikes
        while len(self._waiting) > MOST_STEPS or (
            self._waiting_spikes > MOST_SPIKES and len(self._waiting) > 1
        ):
            self._waiting_spikes -= self._waiting.popleft()[1]
            self._skipped += 1
        now_s = time.perf_counter()
        if now_s >= self._next_s:
            # After a pause the next frame comes at once, but frames are never made up for.
            self._next_s = now_s + FRAME_S
            self._show(now_s)

    def close(self, status: str = "complete") -> None:
        """Close the window; closing twice is harmless."""
        self._is_open = False
        self._waiting.clear()
        self._socket.close()
        try:
            self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    # -- to and from the process --------------------------------------------------------------------

    def _begin(self, title: str) -> None:
        """Send layout and title to the process, and wait until its window is there."""
        self._socket.settimeout(START_TIMEOUT_S)
        try:
            self._socket.sendall(packed((self._layout, title, self._listening)))
            with self._socket.makefile("r") as lines:
                answer = lines.readline().strip()
        except (OSError, ValueError) as error:
            answer = f"it did not start: {error}"
        word, _, address = answer.partition(" ")
        if word != "open":
            self.close()
            raise ViewError(
                f"the live view could not be shown: {answer or 'its process ended unexpectedly'}; run "
                f"without --view and watch the recording later with `ethospike replay`"
            )
        self._socket.setblocking(False)
        self._is_open = True
        if address:
            self._tell(f"watch the run at {address}")

    def _show(self, now_s: float) -> None:
        """Send the waiting steps, unless the process is still busy with the batch before."""
        try:
            self._listen()
            if self._flush():
                self._unsent = memoryview(packed(self._batch(now_s)))
                self._flush()
        except OSError:
            self._is_open = False
            self._waiting.clear()
            self._tell("the view was closed; the run goes on")

    def _flush(self) -> bool:
        """Send the rest of the last batch; return True when all of it is sent."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return False
        return True

    def _listen(self) -> None:
        """Read the animal that the view has selected; raise if the view has ended."""
        try:
            heard = self._socket.recv(4096)
        except BlockingIOError:
            return
        if not heard:
            raise BrokenPipeError
        self._animal = int(heard.split()[-1])

    def _batch(self, now_s: float) -> Batch:
        """Put together all steps that wait."""
        records = [record for record, _ in self._waiting]
        self._waiting.clear()
        self._waiting_spikes = 0
        weights: dict[str, Any] = {}
        if self._layout.weights and now_s >= self._next_weights_s:
            self._next_weights_s = now_s + WEIGHTS_S
            weights = {name: np.array(values[self._animal]) for name, values in records[-1].weights().items()}
        blocks = [record.spikes for record in records if record.spikes]
        kept = [(block.step, block.neuron, self._mine(block)) for block in blocks]
        return Batch(
            steps=np.array([record.control_step for record in records], np.int64),
            values={name: np.stack([record.values[name] for record in records]) for name in self._names},
            spike_step=np.concatenate([np.empty(0, np.int64), *(step[mine] for step, _, mine in kept)]),
            spike_neuron=np.concatenate([np.empty(0, np.int32), *(neuron[mine] for _, neuron, mine in kept)]),
            animal=self._animal,
            wall_s=now_s,
            weights=weights,
            skipped=self._skipped,
            frame=records[-1].frame(self._animal),
        )

    def _mine(self, spikes: Any) -> Any:
        """Return a mask of the spikes of the selected animal in the raster."""
        shown = self._shown[spikes.neuron]
        return shown if self._layout.animals == 1 else shown & (spikes.animal == self._animal)


def lower_priority() -> None:
    """Let the run go first where the two share a core."""
    os.nice(5)
