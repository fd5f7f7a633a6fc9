"""Runs in threads that share one model: each opens its simulator as usual and gets a place in a batch.

The windows of all runs are simulated together, so that a run waits for the others in every window. Windows
may differ in length.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.memory import TooLarge
from ethospike.brains.network import Network
from ethospike.brains.network.structure import structure
from ethospike.brains.simulator.contract import Simulator
from ethospike.brains.simulator.registry import open_batch, opened_by, simulator_class
from ethospike.brains.simulator.settings import Capabilities, SimulatorSettings
from ethospike.brains.simulator.window import SpikeBlock, Stimulus
from ethospike.errors import BrainError, SimulatorUnavailable

T = TypeVar("T")


class Postponed(BaseException):
    """A run that did not take place: it has to be repeated, with others like it or by itself.

    It is no `Exception`, so that a run does not count it as a failure of its own.

    Attributes
    ----------
    alone : bool
        No other run shares its structure, or a batch with it failed.
    """

    def __init__(self, *, alone: bool) -> None:
        super().__init__()
        self.alone = alone


def in_lockstep(calls: Sequence[Callable[[], T]]) -> list[T | Postponed]:
    """Call functions in threads; the first simulator that each opens is a parameter set of one batch.

    Returns
    -------
    list
        The result of each function, or a `Postponed`.

    Raises
    ------
    BaseException
        The first error that a function raised, after all have ended.
    """
    lockstep = Lockstep(len(calls))
    outcomes: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        try:
            with lockstep.membership():
                outcomes[place] = calls[place]()
        except BaseException as error:  # raised again below, in the caller's thread
            outcomes[place] = error

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run, place))
        for place in range(len(calls))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Postponed):
            raise outcome
    return outcomes


@dataclass(eq=False)
class _Request:
    """A simulator that a member wants to open, and the outcome."""

    network: Network
    settings: SimulatorSettings
    options: dict[str, Any]
    outcome: Simulator | Postponed | None = None

    @property
    def key(self) -> Hashable:
        """Equal for simulators that could be one model."""
        return structure(self.network), self.settings, tuple(sorted(self.options.items()))


@dataclass(eq=False)
class _Window:
    """A window that a member waits for."""

    left: int
    stimulus: Stimulus
    blocks: list[SpikeBlock] = field(default_factory=list)


class Lockstep:
    """The batch of some threads, each of which enters `membership` once.

    Parameters
    ----------
    members : int
    """

    def __init__(self, members: int) -> None:
        self._changed = threading.Condition()
        self._undecided = members
        self._requests: list[_Request] = []
        self._batch: Simulator | None = None
        self._windows: dict[int, _Window | None] = {}
        self._error: BaseException | None = None

    @contextmanager
    def membership(self) -> Iterator[None]:
        """Give the first simulator that this thread opens a place in the batch."""
        asked = False

        def opened(network: Network, settings: SimulatorSettings, **options: Any) -> Simulator:
            nonlocal asked
            if asked:  # a second simulator of the same run
                return simulator_class(settings.name)(network, settings, **options)
            asked = True
            return self._open(_Request(network, settings, options))

        try:
            with opened_by(opened):
                yield
        finally:
            if not asked:
                with self._changed:
                    self._decide()

    # -- opening ------------------------------------------------------------------------------------

    def _open(self, request: _Request) -> Simulator:
        with self._changed:
            self._requests.append(request)
            self._decide()
            self._changed.wait_for(lambda: request.outcome is not None)
        if isinstance(request.outcome, Simulator):
            return request.outcome
        raise request.outcome or Postponed(alone=True)

    def _decide(self) -> None:
        """Count a member that has asked or left; after the last one, choose the batch and open it."""
        self._undecided -= 1
        if self._undecided or not self._requests:
            return
        groups: dict[Hashable, list[_Request]] = {}
        for request in self._requests:
            groups.setdefault(request.key, []).append(request)
        largest = max(groups.values(), key=len)
        for group in groups.values():
            if group is not largest or len(group) == 1:
                _postpone(group, alone=len(group) == 1)
        if len(largest) > 1:
            self._open_batch(largest)
        self._changed.notify_all()

    def _open_batch(self, group: list[_Request]) -> None:
        """Open as many parameter sets as the device has room for, and postpone the others."""
        first = group[0]
        while len(group) > 1:
            try:
                networks = [request.network for request in group]
                self._batch = open_batch(networks, first.settings, **first.options)
            except TooLarge as error:
                fit = min(error.fit, len(group) - 1)
                _postpone(group[max(fit, 1) :], alone=False)
                group = group[: max(fit, 1)]
            except Exception:  # of any kind: each is then opened by itself, and says what is wrong with it
                break
            else:
                for place, request in enumerate(group):
                    self._windows[place] = None
                    request.outcome = _Member(self, self._batch, place, len(group), request)
                return
        _postpone(group, alone=True)

    # -- running ------------------------------------------------------------------------------------

    def advance(self, place: int, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        """Return the spikes of a member's next window, when it has been simulated with those of the others.

        Raises
        ------
        Postponed
            When the batch failed.
        """
        window = _Window(n_steps, stimulus)
        with self._changed:
            self._windows[place] = window
            self._step()
            self._changed.wait_for(lambda: window.left == 0 or self._error is not None)
            if window.left:
                raise Postponed(alone=True) from self._error
        return SpikeBlock.joined(window.blocks)

    def leave(self, place: int) -> None:
        """Go on without a member; the last one closes the model."""
        with self._changed:
            self._windows.pop(place, None)
            if self._windows:
                self._step()
            elif self._batch is not None:
                self._batch.close()
                self._batch = None

    def weights(self, place: int, animals: int, projection: str) -> NDArray[np.float64]:
        """Return the weights of a member's animals."""
        with self._changed:
            return self._model.weights(projection)[place * animals :][:animals]

    def _step(self) -> None:
        """Simulate while every member waits for a window."""
        try:
            while self._error is None and (waiting := self._all_waiting()):
                self._advance_to_next_end(waiting)
        except BaseException as error:  # for all members: each is repeated by itself
            self._error = error
        self._changed.notify_all()

    def _all_waiting(self) -> dict[int, _Window]:
        """Return the windows of all members, or nothing while a member has none."""
        waiting = {place: w for place, w in self._windows.items() if w is not None and w.left}
        return waiting if len(waiting) == len(self._windows) else {}

    def _advance_to_next_end(self, waiting: dict[int, _Window]) -> None:
        """Simulate to the end of the window that ends first."""
        batch = self._model
        n_steps = min(window.left for window in waiting.values())
        animals = batch.animals // self._places
        spikes = batch.run(n_steps, _joined(waiting, batch, animals, n_steps))
        owner = spikes.animal // animals
        for place, window in waiting.items():
            mine = owner == place
            window.blocks.append(
                SpikeBlock(spikes.step[mine], spikes.animal[mine] - place * animals, spikes.neuron[mine])
            )
            window.left -= n_steps

    @property
    def _model(self) -> Simulator:
        if self._batch is None:
            raise SimulatorUnavailable("the batch was closed; open a new simulator")
        return self._batch

    @property
    def _places(self) -> int:
        """Parameter sets of the batch, those included whose members have left."""
        return sum(isinstance(request.outcome, _Member) for request in self._requests)


def _postpone(group: Sequence[_Request], *, alone: bool) -> None:
    for request in group:
        request.outcome = Postponed(alone=alone)


def _joined(waiting: dict[int, _Window], batch: Simulator, animals: int, n_steps: int) -> Stimulus:
    """Return the stimulus of all members in the next steps of the batch."""
    columns: list[tuple[NDArray[Any], ...]] = [(np.empty(0, np.int64), *[np.empty(0, np.int32)] * 2)]
    current_pa = np.zeros((batch.animals, batch.network.n_current_channels))
    for place, window in waiting.items():
        sent = window.stimulus
        first, end = np.searchsorted(sent.step, [batch.step, batch.step + n_steps], side="right")
        columns.append(
            (sent.step[first:end], sent.animal[first:end] + place * animals, sent.channel[first:end])
        )
        if sent.current_pa is not None:
            current_pa[place * animals : (place + 1) * animals] = sent.current_pa
    step, animal, channel = (np.concatenate(values) for values in zip(*columns, strict=True))
    order = np.lexsort((channel, animal, step))
    return Stimulus(step[order], animal[order], channel[order], current_pa)


class _Member(Simulator):
    """The simulator of one parameter set; its windows are those of the batch."""

    name: ClassVar[str] = "batch"
    capabilities: ClassVar[Capabilities] = Capabilities(generates_synapses=True)

    def __init__(
        self, lockstep: Lockstep, batch: Simulator, place: int, members: int, request: _Request
    ) -> None:
        self._lockstep, self._place = lockstep, place
        super().__init__(request.network, request.settings, **request.options)
        self.backend = f"{batch.backend}, one of {members} parameter sets"

    def _build(self) -> None:
        """Do nothing: the batch has been built."""

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        return self._lockstep.advance(self._place, n_steps, stimulus)

    def _weights(self, projection: str) -> NDArray[np.float64]:
        return self._lockstep.weights(self._place, self.animals, projection)

    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        raise BrainError(f"weights of {projection!r}: they are fixed while parameter sets run as one model")

    def _close(self) -> None:
        self._lockstep.leave(self._place)
