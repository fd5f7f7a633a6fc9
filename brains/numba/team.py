"""A team of threads that advances one network together, in phases, for the engines of large networks.

A phase is the stretch that neurons may advance before they must hear of each other's spikes: a step, or as
many steps as the shortest delay has. The targets are split into blocks. In every phase, each free thread
claims the next block; the thread that finishes the last block does the serial part (it joins the lists of
spikes, say) and opens the next phase. So a thread never waits for another thread that has not started, was
suspended or has no block, and a slow block delays the others less than a fixed split would.

The compiled loop of an engine reads::

    while True:
        phase, block = claim(board)
        if block < 0:
            break
        ...  # advance the targets of `block`; read results of earlier phases, write data of the block
        if finish(board):
            ...  # in a single thread
            open_next(board)

The results do not depend on the number of threads if a block reads only data of earlier phases. They do not
depend on the number of blocks either if each target adds its inputs in the same order in every split.

Numba's cache notices changes only in the file of the function that it caches: after a change here, delete the
caches of the engines (`__pycache__`).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

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
_TICKET, _DONE, _END, _BLOCKS, _WAITED = (i * _FAR for i in range(5))
_BLOCK_BITS = 32  # a ticket is phase << 32 | next block, so that no thread claims a block of a phase gone by

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

    def run(self, work: Callable[[Board], object], phases: int, blocks: int) -> int:
        """Call `work` in all threads of the team and return the number of phases that they finished.

        `work` calls compiled code that frees the interpreter's lock and loops over `claim`. Helpers that have
        claimed nothing when the last phase is over are not waited for: they find the board closed.

        An error of `work` in any thread, or an interruption, is raised when no thread is at work any more.
        """
        board = np.zeros(5 * _FAR, dtype=np.int64)
        board[_END], board[_BLOCKS] = phases, blocks
        size, begin = self.size, self._clock()
        others: list[Future[None]] = []
        try:
            others.extend(helpers().submit(_work_or_close, work, board) for _ in range(size - 1))
            work(board)
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


def _work_or_close(work: Callable[[Board], object], board: Board) -> None:
    """Call `work`; if it fails, let no thread wait for the block that it had claimed."""
    try:
        work(board)
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

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

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


@_compiled
def claim(board: Board) -> tuple[int, int]:
    """Return a phase and a block of it that no other thread has, once there is one.

    The block is -1 when all phases are over.
    """
    ticket = _load(board, _TICKET)
    while True:
        phase, block = ticket >> _BLOCK_BITS, ticket & ((1 << _BLOCK_BITS) - 1)
        if phase >= _load(board, _END):
            return phase, -1
        if block >= board[_BLOCKS]:
            ticket = _wait(board, ticket)
            continue
        before = _replace(board, _TICKET, ticket, ticket + 1)
        if before == ticket:
            return phase, block
        ticket = before


@_compiled
def _wait(board: Board, ticket: int) -> int:
    """Return the board's ticket once it has changed or the board is closed.

    A thread that waits looks often at first, and then lets other threads run.
    """
    begin, looks = _now_ns(), 0
    while True:
        now = _load(board, _TICKET)
        if now != ticket or ticket >> _BLOCK_BITS >= _load(board, _END):
            break
        looks += 1
        if looks < SPINS:
            _pause()
        else:
            _sched_yield()
    _add(board, _WAITED, _now_ns() - begin)
    return now


@_compiled
def finish(board: Board) -> bool:
    """Report a claimed block as done; True in the thread with the last block of the phase.

    Only that thread may then write data that all blocks read. It must call `open_next` or `close` at its end.
    """
    return bool(_add(board, _DONE, 1) == board[_BLOCKS] - 1)


@_compiled
def open_next(board: Board) -> None:
    """Let all threads claim the blocks of the next phase."""
    phase = _load(board, _TICKET) >> _BLOCK_BITS
    _store(board, _DONE, 0)
    _store(board, _TICKET, (phase + 1) << _BLOCK_BITS)


@_compiled
def close(board: Board) -> None:
    """Make the phase that has just been finished the last one."""
    _store(board, _END, (_load(board, _TICKET) >> _BLOCK_BITS) + 1)
    open_next(board)
