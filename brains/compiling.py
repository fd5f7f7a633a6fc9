"""Compilation of kernels by Numba: options, a line on stderr, and machine code kept while it is fresh."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

WORDS = (
    "ethospike: compiling for this computer, once after an installation or update; it takes up to half a "
    "minute (`ethospike doctor` does it beforehand)"
)
_IMPORT = re.compile(r"^from ([\w.]+) import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)


@overload
def compiled(function: F, /) -> F: ...
@overload
def compiled(**options: Any) -> Callable[[F], F]: ...
def compiled(function: Any = None, /, **options: Any) -> Any:
    """Compile a function when it is first called, and keep the machine code on disk.

    Threads are Python's, without the interpreter's lock: Numba's own use OpenMP, and NEST crashes beside a
    second OpenMP. Division by zero gives infinity, as in NumPy: Python's exception would prevent
    vectorization.

    Parameters
    ----------
    function : callable, optional
        Without it, a decorator is returned.
    **options
        More options of `numba.njit`.
    """
    import numba

    tell_of_compiling()

    def decorate(function: Any) -> Any:
        kernel = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
        keep_while_fresh(kernel, function.__module__)
        return kernel

    return decorate if function is None else decorate(function)


def inlined(function: F) -> F:
    """Copy a compiled function into its callers, where handing arrays over takes longer than its work."""
    decorate: Callable[[F], F] = compiled(inline="always")
    return decorate(function)


def keep_while_fresh(kernel: Any, module: str) -> None:
    """Keep machine code under a name that changes with the files from which the kernel's file imports.

    Numba looks at the kernel's own file alone, but constants and functions of other files become part of it.
    A name, because it reads the types in a file that it kept before it sees that the file is stale: a class
    that has moved since would be an error.
    """
    cache = getattr(kernel, "_cache", None)
    kept, made = getattr(cache, "_cache_file", None), getattr(cache, "_impl", None)
    if cache is not None and kept is not None and made is not None:
        name = f"{made.filename_base}-{stamp(module)[:16]}"
        cache._cache_file = type(kept)(cache.cache_path, name, made.locator.get_source_stamp())


@cache
def stamp(module: str) -> str:
    """Return a digest of a module's file, and of all files of its package from which it imports."""
    digest, seen, waiting = hashlib.sha256(), set[str](), [module]
    while waiting:
        name = waiting.pop()
        file = getattr(sys.modules.get(name), "__file__", None)
        if name in seen or file is None or not file.endswith(".py"):
            continue
        seen.add(name)
        text = Path(file).read_text("utf-8")
        digest.update(text.encode())
        waiting += sorted(_imports(text, module.split(".")[0]), reverse=True)
    return digest.hexdigest()


def _imports(text: str, package: str) -> Iterator[str]:
    """Yield names of modules of a package from which a file may import at its top."""
    for module, several, single in _IMPORT.findall(text):
        if module.split(".")[0] == package:
            yield module
            yield from (
                f"{module}.{name.split()[0]}" for name in (several or single).split(",") if name.strip()
            )


@cache
def tell_of_compiling() -> None:
    """Have the first compilation of a kernel of this package told on stderr; later calls change nothing.

    Kernels that come from Numba's cache are not compiled.
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
