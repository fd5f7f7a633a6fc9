"""A line on stderr when kernels of this package are compiled, which takes up to half a minute, once."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

WORDS = (
    "ethospike: compiling for this computer, once after an installation or update; it takes up to half a "
    "minute (`ethospike doctor` does it beforehand)"
)


@cache
def tell_of_compiling() -> None:
    """Have the first compilation of a kernel of this package told on stderr; later calls change nothing.

    Modules with kernels call it when they are loaded. Kernels that come from Numba's cache are not compiled.
    """
    from numba.core import event

    class Listener(event.Listener):
        """Tells once, and ignores kernels of other packages."""

        is_told = False

        def on_start(self, event: Any) -> None:
            """Tell of the beginning of a compilation."""
            module = str(getattr(event.data["dispatcher"].py_func, "__module__", ""))
            if not self.is_told and module.startswith("ethospike."):
                self.is_told = True
                print(WORDS, file=sys.stderr, flush=True)

        def on_end(self, event: Any) -> None:
            """Do nothing."""

    register: Any = event.register
    register("numba:compile", Listener())
