"""Tuples of arrays that compiled code holds, so that a call does not unpack them again.

Numba looks at every array of a tuple in every call, a tenth of a microsecond each: with the thirty that
describe a brain, that took a third as long as the neurons of a larva in 10 ms. A held tuple is one object.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.experimental import structref as _structref
from numba.extending import overload

from ethospike.brains.compiling import compiled

structref: Any = _structref  # Numba annotates itself in part only


@structref.register
class HeldType(types.StructRef):
    """Numba's type of a held tuple; its only field is `value`."""


class Held(_structref.StructRefProxy):
    """A tuple that compiled code reads as `held.value`; the arrays are shared, not copied.

    Parameters
    ----------
    value : NamedTuple of arrays
    """

    def __new__(cls, value: Any) -> Any:
        """Hold a tuple."""
        return _hold(value)


structref.define_boxing(HeldType, Held)


def _made(value: Any) -> Any:
    """Return a new object of Numba's with a tuple in it; compiled code only."""
    raise NotImplementedError


@overload(_made)
def _compile_made(value: Any) -> Any:
    """Return the code of `_made` for the type of a value."""
    kind: Any = HeldType([("value", value)])  # type: ignore[no-untyped-call]  # Numba has no types

    def made(value: Any) -> Any:
        held: Any = structref.new(kind)
        held.value = value
        return held

    return made


@compiled
def _hold(value: Any) -> Any:
    return _made(value)
