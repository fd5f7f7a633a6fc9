"""Treatment of numbers too small to matter (denormal, below 2.2e-308) as zero, inside a `with` block.

A conductance without input decays into such numbers within seconds, and the processor needs many times longer
for each of them: four seconds after an odor had gone, a silent mushroom body took NEST twice the time of an
active one.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

FLUSHES = platform.libc_ver()[0] == "glibc" and platform.machine() == "x86_64"
"""True where the layout of the floating-point environment is known; elsewhere nothing is changed."""

_FLUSH = 0x8040  # flush to zero and denormals are zero, in the register MXCSR


class _Environment(ctypes.Structure):
    """glibc's fenv_t on x86-64: 28 bytes of the old unit, then MXCSR."""

    _fields_ = (("x87", ctypes.c_uint32 * 7), ("mxcsr", ctypes.c_uint32))


_c = ctypes.CDLL("libm.so.6") if FLUSHES else None


@contextlib.contextmanager
def denormals_are_zero() -> Iterator[None]:
    """Flush denormal numbers to zero in this thread, and in threads that it starts in the block."""
    if _c is None:
        yield
        return
    before, within = _Environment(), _Environment()
    _c.fegetenv(ctypes.byref(before))
    ctypes.memmove(ctypes.byref(within), ctypes.byref(before), ctypes.sizeof(before))
    within.mxcsr |= _FLUSH
    _c.fesetenv(ctypes.byref(within))
    try:
        yield
    finally:
        _c.fesetenv(ctypes.byref(before))
