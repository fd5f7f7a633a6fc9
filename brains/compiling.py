"""Compilation of kernels by Numba: options, a line on stderr, and machine code kept while it is fresh.

A damaged cache file, a full disk, or a folder that cannot be written costs a compilation, never a run.
"""

from __future__ import annotations

import glob
import hashlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, overload

import numba
from numba.core import caching, ccallback, event, sigutils

from ethospike.errors import tell_once
from ethospike.paths import cache_folder, has_home

F = TypeVar("F", bound=Callable[..., Any])
# Numba annotates itself in part only.
_config: Any = numba.config
_caching: Any = caching
_callbacks: Any = ccallback
_signatures: Any = sigutils

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
    _prepare()

    def decorate(function: Any) -> Any:
        kernel: Any = numba.njit(nogil=True, error_model="numpy", **options)(function)
        kernel._cache = _cache_of(function)  # Numba's own way to it has no choice of the cache
        return kernel

    return decorate if function is None else decorate(function)


def kernel(function: F) -> F:
    """Compile a function that makes no arrays, and do not count references to those that it gets.

    Counting is an atomic operation for each array of a tuple in each call: with the tuples that describe a
    brain, it took longer than the neurons of a larva.
    """
    decorate: Callable[[F], F] = compiled(_nrt=False)
    return decorate(function)


def inlined(function: F) -> F:
    """Copy a `kernel` into its callers, where handing arrays over takes longer than its work."""
    decorate: Callable[[F], F] = compiled(_nrt=False, inline="always")
    return decorate(function)


def c_function(signature: Any, function: Any) -> Any:
    """Return a function as machine code with an address, kept on disk where its source is a file."""
    _prepare()
    options = {"error_model": "numpy"}
    made = _callbacks.CFunc(function, _signatures.normalize_signature(signature), locals={}, options=options)
    made._cache = _cache_of(function)
    made.compile()
    return made


class KernelCache:
    """Numba's cache of a function; a file that cannot be read or written is told, not raised.

    Machine code is kept under a name that changes with the files from which the function's file imports.
    Numba looks at that file alone, but constants and functions of other files become part of the code. A
    name, because it reads the types in a file that it kept before it sees that the file is stale: a class
    that has moved since would be an error.

    Parameters
    ----------
    function : callable
    """

    def __init__(self, function: Any) -> None:
        self._cache: Any = _caching.FunctionCache(function)
        self.cache_path: str = self._cache.cache_path
        made = self._cache._impl
        self._name = f"{made.filename_base}-{stamp(function.__module__)[:16]}"
        file_class = type(self._cache._cache_file)
        self._cache._cache_file = file_class(self.cache_path, self._name, made.locator.get_source_stamp())

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Return the code of a signature; None if there is none, or none that can be used."""
        try:
            code = self._cache.load_overload(signature, context)
        except Exception:  # of any kind: a damaged file may hold anything
            self._remove()
            return None
        # Two processes that keep the code of two signatures at the same time may choose one file for both:
        # the index then leads to code for other types, which would read floats as integers.
        if code is not None and tuple(code.signature.args) != tuple(_arguments(signature)):
            self._remove()
            return None
        return code

    def save_overload(self, signature: Any, code: Any) -> None:
        """Keep the code of a signature, if the disk allows it."""
        try:
            self._cache.save_overload(signature, code)
        except Exception as error:  # of any kind: the code is compiled and can be used
            tell_once(f"compiled code cannot be kept in {self.cache_path} ({error or type(error).__name__})")

    def enable(self) -> None:
        """Use the cache."""
        self._cache.enable()

    def disable(self) -> None:
        """Do not use the cache."""
        self._cache.disable()

    def flush(self) -> None:
        """Forget all signatures."""
        self._cache.flush()

    def _remove(self) -> None:
        """Remove all files of the function."""
        tell_once(f"a damaged file of compiled code in {self.cache_path} was dropped; it is compiled again")
        begin = glob.escape(os.path.join(self.cache_path, self._name))
        for ending in (".nbi", ".*.nbc"):
            for file in glob.glob(begin + ending):
                try:
                    os.unlink(file)
                except OSError:
                    self.disable()  # it stays, and so nothing can be kept beside it


def _arguments(signature: Any) -> Any:
    """Return the types of the arguments of a signature, or of a sequence of types."""
    return _signatures.normalize_signature(signature)[0]


def _cache_of(function: Any) -> Any:
    """Return a cache in the first folder that can be written; one that keeps nothing where there is none."""
    file = Path(inspect.getfile(function))
    chosen = _config.CACHE_DIR
    # Without a home, Numba would make a folder called ~ in the working directory.
    if chosen or has_home() or os.access(file.parent, os.W_OK):
        try:
            return KernelCache(function)
        except RuntimeError:  # Numba has found no folder
            if not file.is_file():  # the function was typed into an interpreter
                return _caching.NullCache()
    try:
        _config.CACHE_DIR = str(cache_folder("numba"))
        return KernelCache(function)
    except (OSError, RuntimeError):
        tell_once(
            "no folder can be written: kernels are compiled in every process, which takes half a minute"
        )
        return _caching.NullCache()
    finally:
        _config.CACHE_DIR = chosen


@cache
def _prepare() -> None:
    """Tell of the first compilation, and compile where Numba is told not to."""
    if _config.DISABLE_JIT:
        tell_once(
            "NUMBA_DISABLE_JIT is set, and ignored from here on: as plain Python, the kernels of ethospike "
            "would take hours for seconds, and some cannot run"
        )
        _config.DISABLE_JIT = 0
    tell_of_compiling()


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
