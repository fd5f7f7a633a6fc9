"""The call from the interpreter into the compiled engine of lists.

It counts references, because a held tuple needs it: once in a window, not in its steps.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ethospike.brains.compiling import compiled
from ethospike.brains.numba.lists.kernels import run_in_turn
from ethospike.brains.numba.lists.layout import Output, Window
from ethospike.brains.numba.lists.plasticity_kernels import Lesson, Rules

Array = NDArray[Any]


@compiled
def run_animals(
    turn: Array,
    order: Array,
    first_step: int,
    n_steps: int,
    held: Any,
    rules: Rules | None,
    lesson: Lesson | None,
    window: Window,
    out: Output,
) -> None:
    """Do as `run_in_turn`; a `Held` tuple has circuit, plastic synapses, and stepped neurons or None."""
    circuit, plastic, stepped = held.value
    run_in_turn(turn, order, first_step, n_steps, circuit, plastic, stepped, rules, lesson, window, out)
