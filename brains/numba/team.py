"""A team of threads that advances one network together, in phases, for the engines of large networks.

A phase is the stretch that neurons may advance before they must hear of each other's spikes: a step, or as
many steps as the shortest delay has. The targets are split into blocks, and each thread has a seat with an
equal share of the blocks. In every phase, each free thread claims the next block of its seat, or, when these
are all claimed, of another seat; the thread that finishes the last block does the serial part (it joins the
lists of spikes, say) and opens the next phase. So a thread never waits for another thread that has not
started, was suspended or has no block, and a slow block delays the others less than a fixed split would. But
as long as nothing delays them, threads return to their own blocks, whose state is still in their core's
cache: without seats, half of it was in the cache of the other core, and two threads needed 1.7 times the
processor time of one (25,500 neurons, 0.5 MB of state).

The compiled loop of an engine reads::

    while True:
        phase, block = claim(board, seat)
        if block < 0:
            break
        ...  # advance the targets of `block`; read results of earlier phases, write data of the block
        if finish(board):
            ...  # in a single thread
            open_next(board)

The results do not depend on the number of threads if a block reads only data of earlier phases. They do not
depend on the number of blocks either if each target adds its inputs in the same order in every split.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from ethospike.brains.compiling import kernel
from ethospike.brains.threads import helpers

MOST_WAITING = 1 / 3
"""Share of its time that a team may wait. Two threads that wait a third of their time do the work of 1.33
threads; below that, a second core is better left to other programs."""
LEAST_GAIN = 0.9
"""Time of a phase in the team over that of one thread (if known) above which the team has not paid."""
JUDGED_S = 0.01
"""Time in the team after which its waiting is judged: a few of the slices that a scheduler gives a thread."""
SHORTEST_REST_S = 40 * JUDGED_S
"""Time alone after too much waiting: a team that takes twice the time of one thread costs 2.5 %."""
LONGEST_REST_S = 16 * SHORTEST_REST_S
"""The rest doubles up to this while the team keeps waiting."""
FIRST_PIECE = 64
"""Phases of a run before their duration is known."""
SPINS = 100
"""Looks at the board before a waiting thread offers its core to others: about 3 µs, longer than blocks of
equal cost differ and much shorter than a scheduler's slice."""

_FAR = 16
"""Places between two words of a board: 128 bytes, because processors fetch cache lines in pairs."""
_PHASE, _DONE, _END, _BLOCKS, _SEATS, _WAITED, _TICKET = (i * _FAR for i in range(7))
_BLOCK_BITS = 32
"""A ticket is phase << 32 | next block, so that no thread claims a block of a phase gone by. Each seat
has one, from `_TICKET` on."""

Board = NDArray[np.int64]


class Team:
    """Threads that run one compiled function side by side.

    It judges itself: when it waits more than `MOST_WAITING` of its time, or is not faster than one thread was
    during the last rest, because other programs need the cores or the network is too small, one thread goes
    on alone for a while before the next trial.

    Parameters
    ----------
    threads : int
        Most threads, the calling one included.
    clock : callable
        Seconds; tests set it.

    Attributes
    ----------
    threads : int
    waited : float
        Share of its time that the team spent waiting when it was judged last.

    Examples
    --------
    >>> Team(1).size
    1
    """

    def __init__(self, threads: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.threads = max(1, threads)
        self.waited = 0.0
        self._clock = clock
        self._rest_s, self._rest_until = SHORTEST_REST_S, -np.inf
        self._phase_s = 0.0
        self._together_s, self._waiting_s, self._together_phases = 0.0, 0.0, 0
        self._alone_s, self._alone_phases = 0.0, 0

    @property
    def size(self) -> int:
        """Threads of the next run: one during a rest."""
        return 1 if self._clock() < self._rest_until else self.threads

    def piece(self, phases: int) -> int:
        """Return how many of these phases to run before the team is judged again; all, for one thread."""
        if self.threads == 1:
            return phases
        wanted = int(JUDGED_S / self._phase_s) if self._phase_s else FIRST_PIECE
        return min(phases, max(1, wanted))

    def run(self, work: Callable[[Board, int], object], phases: int, blocks: int) -> int:
        """Call `work` in all threads of the team and return the number of phases that they finished.

        `work` gets the board and the thread's seat (the calling thread's is 0) and calls compiled code that
        frees the interpreter's lock and loops over `claim`. Helpers that have claimed nothing when the last
        phase is over are not waited for: they find the board closed.

        An error of `work` in any thread, or an interruption, is raised when no thread is at work any more.
        """
        size, begin = self.size, self._clock()
        board = np.zeros(_TICKET + size * _FAR, dtype=np.int64)
        board[_END], board[_BLOCKS], board[_SEATS] = phases, blocks, size
        for seat in range(size):
            board[_TICKET + seat * _FAR] = first_block(board, seat)
        others: list[Future[None]] = []
        try:
            others.extend(helpers().submit(_work_or_close, work, board, seat) for seat in range(1, size))
            work(board, 0)
        except BaseException:
            board[_END] = 0
            wait([other for other in others if not other.cancel()])
            raise
        came = [other for other in others if not other.cancel()]
        for other in came:
            if other.done():
                other.result()
        done = int(board[_END])
        if done:
            self._judge(1 + len(came), self._clock() - begin, board[_WAITED] * 1e-9, done)
        return done

    def _judge(self, size: int, elapsed_s: float, waited_s: float, phases: int) -> None:
        self._phase_s = elapsed_s / phases
        if size == 1:  # also where no helper came in time: this says nothing about the next trial
            self._alone_s += elapsed_s
            self._alone_phases += phases
            return
        self._together_s += elapsed_s
        self._waiting_s += waited_s / size
        self._together_phases += phases
        if self._together_s < JUDGED_S:
            return
        self.waited = self._waiting_s / self._together_s
        slow = False
        if self._alone_phases:
            alone_s = self._alone_s / self._alone_phases
            slow = self._together_s > LEAST_GAIN * alone_s * self._together_phases
        self._together_s, self._waiting_s, self._together_phases = 0.0, 0.0, 0
        if self.waited <= MOST_WAITING and not slow:
            self._rest_s = SHORTEST_REST_S
            return
        self._alone_s, self._alone_phases = (
            0.0,
            0,
        )  # measured anew: what a phase takes changes with the spikes
        self._rest_until = self._clock() + self._rest_s
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)


def _work_or_close(work: Callable[[Board, int], object], board: Board, seat: int) -> None:
    """Call `work`; if it fails, let no thread wait for the block that it had claimed."""
    try:
        work(board, seat)
    except BaseException:
        board[_END] = 0
        raise


def split(costs: NDArray[Any], parts: int) -> NDArray[np.int64]:
    """Return the bounds, shape (parts + 1,), of contiguous parts of about equal cost; none is empty.

    Parameters
    ----------
    costs : ndarray, shape (units,)
        Cost of each unit (a neuron, a word), in any unit.
    parts : int
        At most this many; fewer where there are fewer units.
    """
    parts = max(1, min(parts, len(costs)))
    total = np.cumsum(costs, dtype=float)
    wanted = total[-1] * np.arange(1, parts) / parts
    bounds = np.concatenate([[0], np.searchsorted(total, wanted), [len(costs)]])
    for part in range(1, parts):  # at least one unit on either side
        bounds[part] = min(max(bounds[part], bounds[part - 1] + 1), len(costs) - parts + part)
    return bounds.astype(np.int64)


# ---------------------------------------------------------------------------------------------------
# Compiled. NumPy's arrays have no atomic operations; LLVM has.

_sched_yield = types.ExternalFunction("sched_yield", types.int32())
_PAUSES = {
    "x86_64": ("llvm.x86.sse2.pause", []),
    "AMD64": ("llvm.x86.sse2.pause", []),
    "arm64": ("llvm.aarch64.hint", [1]),
    "aarch64": ("llvm.aarch64.hint", [1]),
}
"""Instruction by which a thread that looks again and again leaves the core's units to others."""


_external: Callable[..., Any] = cgutils.get_or_insert_function


def _place(context: Any, builder: Any, kind: Any, board: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, board).data, [index])


def _generate_load(typing_context: Any, board: Any, index: Any) -> Any:
    """Return a word of the board, after all that was written before it was stored."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_place(context, builder, signature.args[0], *arguments), "acquire", 8)

    return types.int64(board, types.intp), generate


def _generate_store(typing_context: Any, board: Any, index: Any, value: Any) -> Any:
    """Set a word of the board, after all that this thread has written."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], place, "release", 8)
        return context.get_dummy_value()

    return types.void(board, types.intp, types.int64), generate


def _generate_add(typing_context: Any, board: Any, index: Any, value: Any) -> Any:
    """Add to a word of the board and return its former value."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        return builder.atomic_rmw("add", place, arguments[2], "acq_rel")

    return types.int64(board, types.intp, types.int64), generate


def _generate_replace(typing_context: Any, board: Any, index: Any, old: Any, new: Any) -> Any:
    """Set a word of the board to `new` if it is `old`, and return its former value."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        result = builder.cmpxchg(place, arguments[2], arguments[3], "acq_rel", "acquire")
        return builder.extract_value(result, 0)

    return types.int64(board, types.intp, types.int64, types.int64), generate


def _generate_pause(typing_context: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if platform.machine() in _PAUSES:
            name, numbers = _PAUSES[platform.machine()]
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)] * len(numbers))
            function = _external(builder.module, kind, name)
            builder.call(function, [ir.IntType(32)(number) for number in numbers])
        return context.get_dummy_value()

    return types.void(), generate


def _generate_now_ns(typing_context: Any) -> Any:
    """Return the system's monotonic clock in ns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        long = ir.IntType(64)
        with builder.goto_entry_block():
            moment = builder.alloca(long, 2)  # a timespec
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32), long.as_pointer()])
        function = _external(builder.module, kind, "clock_gettime")
        builder.call(function, [ir.IntType(32)(time.CLOCK_MONOTONIC), moment])
        seconds = builder.load(moment)
        return builder.add(
            builder.mul(seconds, long(1_000_000_000)), builder.load(builder.gep(moment, [long(1)]))
        )

    return types.int64(), generate


_load: Callable[..., int] = intrinsic(_generate_load)
_store: Callable[..., None] = intrinsic(_generate_store)
_add: Callable[..., int] = intrinsic(_generate_add)
_replace: Callable[..., int] = intrinsic(_generate_replace)
_pause: Callable[..., None] = intrinsic(_generate_pause)
_now_ns: Callable[..., int] = intrinsic(_generate_now_ns)


@kernel
def first_block(board: Board, seat: int) -> int:
    """Return the first block of a seat; that of seat `n` of `n` is the number of blocks."""
    return int(board[_BLOCKS] * seat // board[_SEATS])


@kernel
def claim(board: Board, seat: int) -> tuple[int, int]:
    """Return a phase and a block of it that no other thread has, once there is one: of this seat if possible.

    The block is -1 when all phases are over.
    """
    while True:
        phase = _load(board, _PHASE)
        if phase >= _load(board, _END):
            return phase, -1
        for distance in range(board[_SEATS]):
            block = _claim_of(board, phase, (seat + distance) % board[_SEATS])
            if block >= 0:
                return phase, block
        _wait(board, phase)


@kernel
def _claim_of(board: Board, phase: int, seat: int) -> int:
    """Return a block of a seat, or -1 if all are claimed or the phase is over."""
    place, end = _TICKET + seat * _FAR, first_block(board, seat + 1)
    ticket = _load(board, place)
    while ticket >> _BLOCK_BITS == phase:
        block = ticket & ((1 << _BLOCK_BITS) - 1)
        if block >= end:
            break
        before = _replace(board, place, ticket, ticket + 1)
        if before == ticket:
            return block
        ticket = before
    return -1


@kernel
def _wait(board: Board, phase: int) -> None:
    """Return once the phase is over or the board is closed.

    A thread that waits looks often at first, and then lets other threads run.
    """
    begin, looks = _now_ns(), 0
    while _load(board, _PHASE) == phase and phase < _load(board, _END):
        looks += 1
        if looks < SPINS:
            _pause()
        else:
            _sched_yield()
    _add(board, _WAITED, _now_ns() - begin)


@kernel
def finish(board: Board) -> bool:
    """Report a claimed block as done; True in the thread with the last block of the phase.

    Only that thread may then write data that all blocks read. It must call `open_next` or `close` at its end.
    """
    return bool(_add(board, _DONE, 1) == board[_BLOCKS] - 1)


@kernel
def open_next(board: Board) -> None:
    """Let all threads claim the blocks of the next phase."""
    phase = _load(board, _PHASE) + 1
    _store(board, _DONE, 0)
    for seat in range(board[_SEATS]):
        _store(board, _TICKET + seat * _FAR, phase << _BLOCK_BITS | first_block(board, seat))
    _store(board, _PHASE, phase)


@kernel
def close(board: Board) -> None:
    """Make the phase that has just been finished the last one."""
    _store(board, _END, _load(board, _PHASE) + 1)
    open_next(board)
