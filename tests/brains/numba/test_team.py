"""The thread team: the same results for any number of threads, and no time wasted on a busy machine."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from ethospike.brains import threads
from ethospike.brains.numba import team as thread_team
from ethospike.brains.numba.team import Team, claim, close, finish, open_next, split

CELLS, BLOCKS, PHASES = 96, 12, 40


@numba.njit(nogil=True)
def _couple(board, seat, state, opened, worked, last):
    """Advance a map in which every cell reads all cells of the phase before."""
    cells = state.shape[1]
    part = cells // BLOCKS
    while True:
        phase, block = claim(board, seat)
        if block < 0:
            break
        old, new = state[phase % 2], state[(phase + 1) % 2]
        for cell in range(block * part, (block + 1) * part):
            total = 0.0
            for other in range(cells):
                total += np.sin(3.0 * old[other] + cell)
            new[cell] = np.cos(total)
        worked[0] += 1
        if finish(board):
            opened[phase] += phase
            if phase == last:
                close(board)
            else:
                open_next(board)


@numba.njit(nogil=True)
def _lopsided(board, seat, seconds_of_loops):
    """Let the first block of each phase take all the time, the others none."""
    while True:
        _, block = claim(board, seat)
        if block < 0:
            break
        if block == 0:
            total = 0.0
            for i in range(seconds_of_loops):
                total += np.sin(i + total)
            board[-1] = int(total > 1e300)
        if finish(board):
            open_next(board)


@pytest.fixture
def many_helpers(monkeypatch):
    """Lend three helpers, whatever the machine has: more threads than cores must work as well."""
    pool = ThreadPoolExecutor(3, "helper")
    monkeypatch.setattr(thread_team, "helpers", lambda: pool)
    yield pool
    pool.shutdown()


def run_map(team, last=PHASES - 1):
    """Run the map and return what is left of it.

    Returns the number of phases, the state, the phases in which the serial part ran, and the number of blocks
    that each thread did.
    """
    state = np.zeros((2, CELLS))
    state[0] = np.linspace(0.0, 1.0, CELLS)
    opened, worked = np.zeros(PHASES, np.int64), []

    def work(board, seat):
        mine = np.zeros(1, np.int64)
        worked.append(mine)
        _couple(board, seat, state, opened, mine, last)

    done = team.run(work, PHASES, BLOCKS)
    return done, state, opened, [int(count[0]) for count in worked]


def test_results_are_bit_identical_for_any_number_of_threads(many_helpers):
    done, expected, opened, _ = run_map(Team(1))
    assert done == PHASES
    # The map is chaotic: other sums change late states, so one phase is compared with NumPy.
    one_phase = np.cos(np.sin(3.0 * np.linspace(0, 1, CELLS) + np.arange(CELLS)[:, None]).sum(axis=1))
    _, first, _, _ = run_map(Team(1), last=0)
    np.testing.assert_allclose(first[1], one_phase, atol=1e-9)
    helped = 0
    for size in (2, 3, 4):
        for _ in range(20):
            done, state, opened, blocks = run_map(Team(size))
            assert done == PHASES
            np.testing.assert_array_equal(state, expected)
            np.testing.assert_array_equal(opened, np.arange(PHASES))  # each serial part ran once
            assert sum(blocks) == PHASES * BLOCKS  # and so did each block
            helped += sum(count > 0 for count in blocks) > 1
    assert helped > 0, "no helper ever came in time to take part"


def test_threads_return_to_their_own_blocks_in_each_phase():
    """State of a block stays in the cache of the core that worked on it before."""
    claimed = []

    def work(board, seat):
        if seat > 0:
            return
        for turn in [*[1] * 7, *[0] * 6]:  # both seats are played by one thread
            claimed.append((turn, *claim(board, turn)))
            if finish(board):
                open_next(board)
        assert claim(board, 1) == (1, 6)

    Team(2).run(work, 2, 13)
    assert claimed[:7] == [(1, 0, block) for block in (6, 7, 8, 9, 10, 11, 12)]
    assert claimed[7:] == [(0, 0, block) for block in range(6)]


def test_a_seat_takes_blocks_of_others_when_its_own_are_claimed():
    order = []

    def work(board, seat):
        if seat == 0:
            order.extend(claim(board, 1)[1] for _ in range(BLOCKS))
            for _ in range(BLOCKS):
                finish(board)
            close(board)

    Team(2).run(work, 1, BLOCKS)
    assert order == [*range(BLOCKS // 2, BLOCKS), *range(BLOCKS // 2)]


def test_a_run_may_end_at_any_phase(many_helpers):
    for size in (1, 3):
        done, _, opened, blocks = run_map(Team(size), last=6)
        assert done == 7
        assert sum(blocks) == 7 * BLOCKS
        assert (opened[:7] == np.arange(7)).all()
        assert (opened[7:] == 0).all()


def test_it_does_not_wait_for_helpers_that_are_busy_elsewhere(monkeypatch):
    """The helper is kept until the run is over: a barrier of a fixed number of threads would never end."""
    pool, leave = ThreadPoolExecutor(1), threading.Event()
    monkeypatch.setattr(thread_team, "helpers", lambda: pool)
    kept = pool.submit(leave.wait, 60)
    team = Team(2)
    done, state, _, blocks = run_map(team)
    assert not kept.done()
    assert team._together_s == 0.0  # one thread alone has not shown that two are worth while
    leave.set()
    pool.shutdown()
    assert done == PHASES
    assert len(blocks) == 1
    np.testing.assert_array_equal(state, run_map(Team(1))[1])


def test_a_helper_that_comes_after_the_end_does_nothing(monkeypatch):
    """Its run is over, and the arrays may have gone on to the next one."""
    late = []

    class Later:
        def submit(self, function, *arguments):
            late.append((function, arguments))
            return ThreadPoolExecutor(1).submit(int)

    monkeypatch.setattr(thread_team, "helpers", Later)
    _, state, opened, _ = run_map(Team(2))
    before = state.copy(), opened.copy()
    assert len(late) == 1
    function, arguments = late[0]
    function(*arguments)
    np.testing.assert_array_equal(state, before[0])
    np.testing.assert_array_equal(opened, before[1])


@pytest.mark.parametrize("culprit", ["the caller", "a helper"])
def test_an_error_in_any_thread_ends_the_run(culprit, many_helpers):
    """A thread that fails has perhaps claimed a block; the others must not wait for it."""
    caller, failed = threading.get_ident(), threading.Event()

    def work(board, seat):
        if (threading.get_ident() == caller) == (culprit == "the caller"):
            claim(board, seat)
            failed.set()
            raise ValueError("failed")
        assert failed.wait(60)
        _couple(board, seat, np.zeros((2, CELLS)), np.zeros(PHASES, np.int64), np.zeros(1, np.int64), PHASES)

    with pytest.raises(ValueError, match="failed"):
        Team(2).run(work, PHASES, BLOCKS)


# -- waiting ------------------------------------------------------------------------------------------


def test_a_team_that_waits_too_much_rests_and_tries_again(many_helpers, monkeypatch):
    """One block has all the work: the second thread waits all the time."""
    rest_s, later_s = 1000.0, [0.0]
    monkeypatch.setattr(thread_team, "SHORTEST_REST_S", rest_s)
    monkeypatch.setattr(thread_team, "LONGEST_REST_S", 4 * rest_s)
    team = Team(2, clock=lambda: time.monotonic() + later_s[0])

    def run_until_it_rests():
        for _ in range(1000):  # a helper may come late to some runs
            if team.size == 1:
                break
            team.run(lambda board, seat: _lopsided(board, seat, 50_000), 30, BLOCKS)
        assert team.waited > thread_team.MOST_WAITING

    run_until_it_rests()
    for factor in (1, 2, 4, 4):
        assert team.size == 1
        later_s[0] += (factor - 0.5) * rest_s
        assert team.size == 1
        later_s[0] += 0.6 * rest_s
        assert team.size == 2  # a trial
        run_until_it_rests()


def test_a_team_that_does_not_wait_stays_together():
    team = Team(2, clock=lambda: 0.0)
    team._judge(2, elapsed_s=1.0, waited_s=0.5, phases=100)  # a quarter of two threads' time
    assert team.waited == pytest.approx(0.25)
    assert team.size == 2
    team._judge(2, elapsed_s=1.0, waited_s=0.7, phases=100)
    assert team.size == 1


def test_a_team_that_is_no_faster_than_one_thread_rests():
    """Threads that are sent away at work, not while they wait, waste time as well."""
    now = [0.0]
    team = Team(2, clock=lambda: now[0])
    team._judge(2, elapsed_s=1.0, waited_s=0.0, phases=100)  # nothing to compare with
    assert team.size == 2
    team._judge(2, elapsed_s=1.0, waited_s=1.0, phases=100)
    assert team.size == 1
    team._judge(1, elapsed_s=1.0, waited_s=0.0, phases=120)
    now[0] += thread_team.SHORTEST_REST_S + 0.1
    assert team.size == 2
    team._judge(2, elapsed_s=1.0, waited_s=0.0, phases=125)
    assert team.size == 1
    team._judge(1, elapsed_s=1.0, waited_s=0.0, phases=60)  # more spikes than before
    now[0] += 2 * thread_team.SHORTEST_REST_S + 0.1
    team._judge(2, elapsed_s=1.0, waited_s=0.0, phases=100)
    assert team.size == 2


def test_short_runs_are_judged_together():
    team = Team(2, clock=lambda: 0.0)
    short = thread_team.JUDGED_S / 4
    for _ in range(3):
        team._judge(2, elapsed_s=short, waited_s=2 * short, phases=1)
        assert team.size == 2
    team._judge(2, elapsed_s=short, waited_s=2 * short, phases=1)
    assert team.waited == pytest.approx(1.0)
    assert team.size == 1


def test_pieces_are_long_enough_to_be_judged():
    assert Team(1).piece(100_000) == 100_000
    team = Team(2, clock=lambda: 0.0)
    assert team.piece(10) == 10
    assert team.piece(100_000) == thread_team.FIRST_PIECE
    team._judge(2, elapsed_s=0.5, waited_s=0.0, phases=500)
    assert team.piece(100_000) == pytest.approx(thread_team.JUDGED_S / 0.001, abs=1)
    team._judge(2, elapsed_s=0.5, waited_s=0.0, phases=1)
    assert team.piece(100_000) == 1


WAITING = """
import os, threading, time
import numba, numpy as np
from ethospike.brains.numba.team import Team, claim, finish, open_next
from ethospike.brains.threads import helpers

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

@numba.njit(nogil=True)
def work(board, seat, loops):
    while True:
        _, block = claim(board, seat)
        if block < 0:
            break
        total = 0.0
        for i in range(loops):
            total += np.sin(i + total)
        loops += int(total > 1e300)
        if finish(board):
            open_next(board)

used, waiting = {}, threading.Event()

def timed(board, seat):
    name = "worker" if threading.current_thread() is threading.main_thread() else "waiter"
    if name == "worker":
        waiting.wait(60)
    else:
        waiting.set()
    begin = time.thread_time()
    work(board, seat, 20_000_000 if name == "worker" else 0)
    used[name] = time.thread_time() - begin

work(np.zeros(1000, np.int64), 0, 0)
team = Team(2)
while "waiter" not in used or used["worker"] < 0.01:
    waiting.clear()
    team.run(timed, 1, 1)
    helpers().submit(int).result()
print(used["waiter"] / used["worker"])
"""
"""One block, two threads, one core; prints the processor time of the thread that waits over the other's."""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be kept on one core here")
def test_a_waiting_thread_leaves_its_core_to_others():
    """A pure spin barrier took as much of the core as the thread that it waited for (here: ratio 1.2)."""
    done = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.2


# -- splits -------------------------------------------------------------------------------------------


def test_parts_have_equal_cost_and_are_never_empty():
    rng = np.random.default_rng(5)
    costs = rng.uniform(0.5, 1.5, 1000)
    bounds = split(costs, 7)
    parts = [costs[a:b].sum() for a, b in itertools.pairwise(bounds)]
    assert len(parts) == 7
    np.testing.assert_allclose(parts, costs.sum() / 7, atol=1.5)
    np.testing.assert_array_equal(split(np.array([0, 0, 9.0, 0]), 4), [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(split(np.ones(3), 8), [0, 1, 2, 3])
    np.testing.assert_array_equal(split(np.ones(3), 1), [0, 3])


def test_the_helpers_are_those_of_all_brains():
    assert thread_team.helpers is threads.helpers
