"""Free memory that C libraries keep, and its return to the operating system."""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Have the C library return its free memory.

    glibc gives threads heaps of their own, which it lets grow and keeps although nothing is lost: by half a
    megabyte with every frame of a film, and by a third of one with every run of a sweep.
    """
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # another C library has none and needs none
        if trim is not None:
            trim(0)
