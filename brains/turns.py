"""A count that threads share, in compiled code, so that each takes the next piece of work when it is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic


def _generate_next_in_turn(context: Any, turn: Any) -> Any:
    """Return turn[0] and increase it, undivided: no two threads get the same number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        step = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", array.data, step, "monotonic")

    return types.int64(turn), generate


next_in_turn: Callable[..., int] = intrinsic(_generate_next_in_turn)
"""Return the only entry of an array, and increase it; each thread gets another number."""
