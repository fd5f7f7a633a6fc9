"""A call by address, which Numba has no words for, written for its compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _generate_call(
    context: Any, address: Any, x: Any, k: Any, excitation: Any, inhibition: Any, current: Any, uniform: Any
) -> Any:
    """Return a call of the function at an address, of the interface of a model's step."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, x, k, *numbers = arguments
        pointer = ir.IntType(8).as_pointer()
        function = ir.FunctionType(ir.IntType(64), [pointer, pointer, *[ir.DoubleType()] * 4])
        call = builder.inttoptr(address, function.as_pointer())
        return builder.call(call, [builder.inttoptr(x, pointer), builder.inttoptr(k, pointer), *numbers])

    return types.int64(types.int64, types.uintp, types.uintp, *[types.float64] * 4), generate


call_step: Callable[..., int] = intrinsic(_generate_call)
"""Call a model's step: address, addresses of state and constants, weights, current, random number."""
