"""Access to memory in compiled code that NumPy's arrays lack: fetching ahead, and eight bytes at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


def _generate_prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Have the processor fetch the cache line of an element, and go on; any index is harmless."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = _external(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, number(0), number(3), number(1)])  # to read, into all caches, data
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


_external: Callable[..., Any] = cgutils.get_or_insert_function


def _generate_word(typing_context: Any, array: Any, index: Any) -> Any:
    """Return the eight bytes from an element on as one number; they need no alignment."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.int64(array, types.intp), generate


prefetch: Callable[..., None] = intrinsic(_generate_prefetch)
word: Callable[..., int] = intrinsic(_generate_word)
