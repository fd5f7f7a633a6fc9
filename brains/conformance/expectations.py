"""Expectations that the checks of the suite are made of, and the comparison of two spike trains."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.conformance.specimens import ADAPTING, CURRENT_BASED
from ethospike.brains.network import Network
from ethospike.brains.simulator import Simulator, SpikeBlock, Stimulus

SEED = 2024
MODELS = (CURRENT_BASED, ADAPTING)
"""One current-based and one conductance-based model; `iaf_cond_exp` is covered where its equation matters."""


class ConformanceError(AssertionError):
    """A simulator deviates from the contract; the message says how, and names a likely cause."""


class OpenNetwork(Protocol):
    """Builds a network in the simulator under test."""

    def __call__(self, network: Network, *, seed: int, animals: int = 1, dt_ms: float = 0.1) -> Simulator:
        """Return an open simulator; the caller closes it."""


Check = Callable[[OpenNetwork], None]

CHECKS: list[Check] = []
"""All checks of a single simulator, in the order of their definition; `@check` adds one."""


def check(function: Check) -> Check:
    """Add a function to `CHECKS`."""
    CHECKS.append(function)
    return function


def run_once(
    open_network: OpenNetwork,
    network: Network,
    n_steps: int,
    stimulus: Stimulus | None = None,
    *,
    seed: int = SEED,
    animals: int = 1,
    dt_ms: float = 0.1,
) -> SpikeBlock:
    """Open, run one window, close."""
    with open_network(network, seed=seed, animals=animals, dt_ms=dt_ms) as simulator:
        return simulator.run(n_steps, stimulus)


def expect(condition: bool, message: str) -> None:
    """Raise `ConformanceError` unless the condition holds."""
    if not condition:
        raise ConformanceError(message)


def expect_active(block: SpikeBlock, at_least: int) -> None:
    """Raise unless the specimen fired, so that silence passes no check."""
    expect(
        len(block) >= at_least,
        f"the specimen gave {len(block)} spikes where at least {at_least} were expected: do inputs, "
        f"currents and initial voltages reach the neurons?",
    )


def expect_equal(got: NDArray[np.integer], expected: NDArray[np.integer], message: str) -> None:
    """Raise unless two arrays of steps are equal; the message shows where they part."""
    if np.array_equal(got, expected):
        return
    shared = min(len(got), len(expected))
    parted = np.flatnonzero(got[:shared] != expected[:shared])
    place = int(parted[0]) if len(parted) else shared
    raise ConformanceError(
        f"{message} (expected {len(expected)} spikes, got {len(got)}; from spike {place} on expected steps "
        f"{expected[place : place + 4].tolist()}, got {got[place : place + 4].tolist()})"
    )


def expect_close(got: NDArray[np.float64], expected: NDArray[np.float64], message: str) -> None:
    """Raise unless two arrays have one shape and agree to single precision."""
    if got.shape != expected.shape:
        raise ConformanceError(f"{message} (expected shape {expected.shape}, got {got.shape})")
    if not np.allclose(got, expected, rtol=1e-6, atol=0):
        worst = np.unravel_index(np.argmax(np.abs(got - expected)), got.shape)
        raise ConformanceError(f"{message} (expected {expected[worst]}, got {got[worst]})")


def expect_raises(action: Callable[[], object], error: type[Exception], what: str) -> None:
    """Raise unless the action raises that error with a message."""
    try:
        action()
    except error as raised:
        expect(
            len(str(raised)) > 10, f"{what}: the error must say what was expected, but says {str(raised)!r}"
        )
    else:
        raise ConformanceError(f"{what}: expected {error.__name__}, but nothing was raised")


def expect_same(left: SpikeBlock, right: SpikeBlock, message: str) -> None:
    """Raise unless two blocks hold the very same spikes; the message shows the first difference."""
    if is_same(left, right):
        return
    a, b = (list(zip(*_columns(block), strict=True)) for block in (left, right))
    first = next((x, y) for x, y in zip([*a, None], [*b, None], strict=False) if x != y)
    raise ConformanceError(
        f"{message} ({len(a)} and {len(b)} spikes; the first difference in (step, animal, neuron): "
        f"{first[0]} and {first[1]})"
    )


def is_same(left: SpikeBlock, right: SpikeBlock) -> bool:
    """Return whether two blocks hold the very same spikes."""
    return _columns(left) == _columns(right)


def _columns(block: SpikeBlock) -> tuple[list[int], list[int], list[int]]:
    return block.step.tolist(), block.animal.tolist(), block.neuron.tolist()


def of_animal(block: SpikeBlock, animal: int) -> SpikeBlock:
    """Return the spikes of one animal."""
    inside = block.animal == animal
    return SpikeBlock(block.step[inside], block.animal[inside], block.neuron[inside])


def compare_spike_trains(left: SpikeBlock, right: SpikeBlock, tolerance_steps: int, last_step: int) -> None:
    """Raise unless every neuron fires equally often in both and each spike within `tolerance_steps`.

    The sequence of neurons is then the same, ties and near-ties aside. A spike so near `last_step` that its
    partner may lie beyond the end is left out.

    Raises
    ------
    ConformanceError
        Naming the first neuron that differs, and when.
    """
    cells = {
        (int(a), int(n)) for block in (left, right) for a, n in zip(block.animal, block.neuron, strict=True)
    }
    differences: list[tuple[int, str]] = []
    for animal, neuron in cells:
        a, b = (block.step[(block.animal == animal) & (block.neuron == neuron)] for block in (left, right))
        shared = min(len(a), len(b))
        who = f"neuron {neuron} of animal {animal}"
        apart = np.flatnonzero(np.abs(a[:shared] - b[:shared]) > tolerance_steps)
        if len(apart):
            x, y = int(a[apart[0]]), int(b[apart[0]])
            differences.append((min(x, y), f"{who} fires at step {x} in the first and at {y} in the second"))
            continue
        for rest, where in ((a[shared:], "first"), (b[shared:], "second")):
            if len(rest) and rest[0] <= last_step - tolerance_steps:
                differences.append((int(rest[0]), f"{who} fires at step {rest[0]} in the {where} only"))
    if differences:
        raise ConformanceError(
            f"{len(differences)} of {len(cells)} neurons fire otherwise; the first: {min(differences)[1]}"
        )


def resident_bytes() -> int:
    """Return the memory that this process occupies now (Linux), or the most that it has occupied."""
    import resource  # absent on Windows

    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # or growth could hide in memory that was freed earlier
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text("ascii").split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
