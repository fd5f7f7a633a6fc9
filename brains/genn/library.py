"""GeNN itself: its package, its backends, and the compiled code of models in the user's cache folder.

GeNN's own check asks for a new build when any parameter or the longest row of a random matrix changes, and
its generated folder belongs to one process. So here the generated code, not the model, decides: its hash
names a folder of the cache, a lock lets one process at a time compile it, and every open model loads a
copy of the library of its own (the system would hand out one library, with its global state, twice).
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import importlib.metadata
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ethospike.brains.simulator.settings import SIMULATORS
from ethospike.brains.threads import cores
from ethospike.errors import SimulatorNotInstalled, SimulatorUnavailable
from ethospike.paths import cache_folder, lock_file

BACKENDS = {"cuda": "cuda", "hip": "hip", "cpu": "single_threaded_cpu"}
"""Our name and GeNN's name of each backend, in the order in which `auto` prefers them."""

_DEVICE_COUNTERS = {
    "cuda": ("libcuda.so.1", "cuInit", "cuDeviceGetCount", "nvcc", "CUDA_PATH"),
    "hip": ("libamdhip64.so", "hipInit", "hipGetDeviceCount", "hipcc", "HIP_PATH"),
}
_LIBRARY = "librunner.so"
_PRODUCTS = {".o", ".so", ".d", ".sha"}

logger = logging.getLogger(__name__)


def _import_genn() -> Any:
    """Return the package `pygenn`, after a look at its version: anyone could have registered the name."""
    remedy = f"{SIMULATORS['genn'].remedy}, or choose another simulator (nest, numba)"
    try:
        version = importlib.metadata.version("pygenn")
        package = importlib.import_module("pygenn")
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        raise SimulatorNotInstalled(
            f"the simulator genn needs PyGeNN 5, which is absent; {remedy}"
        ) from error
    if version.split(".")[0] != "5":
        raise SimulatorNotInstalled(f"the simulator genn needs PyGeNN 5, found {version}; {remedy}")
    return package


pygenn = _import_genn()
VERSION: str = pygenn.__version__


# -- backends -------------------------------------------------------------------------------------------


def backends() -> list[str]:
    """Return the backends that GeNN was built with and this machine can run, the preferred one first."""
    built = importlib.import_module("pygenn.genn_model").backend_modules
    return [ours for ours, theirs in BACKENDS.items() if theirs in built and _has_device(ours)]


def choose_backend(asked: str) -> str:
    """Return the backend to use: the one that was asked for, or for `auto` the preferred one.

    Raises
    ------
    SimulatorUnavailable
        When it is not available here.
    """
    available = backends()
    if asked == "auto" and available:
        return available[0]
    if asked not in available:
        raise SimulatorUnavailable(
            f"simulator.genn_backend: {asked!r} is not available; this build of GeNN on this machine has: "
            f"{', '.join(available) or 'none'} (a GPU backend needs the device, its compiler, and a PyGeNN "
            f"that was built with it; see docs/simulators.md)"
        )
    return asked


def preferences(backend: str) -> dict[str, Any]:
    """Return GeNN's preferences for a backend, as arguments of its model."""
    if backend == "cpu":
        return {"optimize_code": True}
    # GPU compilers optimize by themselves, and their fast mathematics is less exact. Blocks of threads have a
    # fixed size (GeNN's 32): to find another one, GeNN compiles every model twice more, each time that it is
    # opened.
    module = importlib.import_module("pygenn.genn_model").backend_modules[BACKENDS[backend]]
    return {"optimize_code": False, "block_size_select_method": module.BlockSizeSelect.MANUAL}


def _has_device(backend: str) -> bool:
    """Return whether a device and its compiler are there; a CPU always is."""
    if backend == "cpu":
        return True
    library, start, count, compiler, home = _DEVICE_COUNTERS[backend]
    devices = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(library)
        failed = getattr(driver, start)(0) or getattr(driver, count)(ctypes.byref(devices))
    except (OSError, AttributeError):
        return False
    folder = os.path.join(os.environ.get(home, ""), "bin")
    path = os.pathsep.join([folder, os.environ.get("PATH", "")])
    return not failed and devices.value > 0 and shutil.which(compiler, path=path) is not None


# -- compiled models ------------------------------------------------------------------------------------


def load(model: Any, recording_steps: int | None) -> None:
    """Compile a model, unless it has been before, and load it; without a record's length, compile alone.

    Raises
    ------
    SimulatorUnavailable
        When the cache cannot be written, or the compiler is absent or fails; the message says where its
        output is.
    """
    root: Path | None = None
    try:
        root = cache_folder("genn")
        with tempfile.TemporaryDirectory(prefix="open-", dir=root) as folder:
            code = _generate(model, Path(folder))
            shutil.copyfile(_compiled(code, root), code / _LIBRARY)
            if recording_steps is not None:
                model.load(num_recording_timesteps=recording_steps)
    except OSError as error:
        raise SimulatorUnavailable(
            f"GeNN cannot keep its compiled models in {root or 'any folder'}: {error}; set ETHOSPIKE_CACHE "
            f"to a folder that can be written"
        ) from error


def _generate(model: Any, folder: Path) -> Path:
    """Let GeNN write the code of a model, and return where; nothing is compiled."""
    if shutil.which("make") is None:
        raise SimulatorUnavailable("GeNN needs `make` and a C++ compiler; see docs/simulators.md")
    # GeNN's `build` also runs make in our terminal. With these flags make says nothing and only touches its
    # targets, which are then made in earnest if no process has made them before.
    with _environment(MAKEFLAGS="ts"):
        model.build(str(folder))
    code = folder / f"{model.name}_CODE"
    for touched in code.iterdir():
        if touched.suffix in _PRODUCTS:
            touched.unlink()
    return code


def _compiled(code: Path, root: Path) -> Path:
    """Return the library of generated code, from the cache or compiled now."""
    sources = {path.name: path.read_bytes() for path in sorted(code.iterdir())}
    compilers = " ".join(os.environ.get(name, "") for name in ("CXX", "CUDA_PATH", "HIP_PATH"))
    about = f"{VERSION} {platform.machine()} {compilers}".encode()
    key = hashlib.sha256(about)
    for name, text in sources.items():
        key.update(f"\0{name}\0{len(text)}\0".encode() + text)
    home = root / key.hexdigest()[:24]
    library = home / _LIBRARY
    with (root / f"{home.name}.lock").open("wb") as lock:
        lock_file(lock.fileno(), wait=True)
        if not library.exists():
            logger.info("GeNN: compiling a new model into %s", home)
            _make(code)
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(code, home.with_suffix(".new"), dirs_exist_ok=True)
            home.with_suffix(".new").rename(home)
    return library


def _make(code: Path) -> None:
    jobs = str(cores())
    with _environment(MAKEFLAGS=None):
        done = subprocess.run(
            ["make", "-j", jobs, "-C", str(code)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # compilers speak the language of the system
            check=False,
        )
    output = done.stdout + done.stderr
    (code / "build.log").write_text(output, "utf-8")
    if done.returncode or not (code / _LIBRARY).exists():
        kept = code.parent.parent / "failed-build.log"
        kept.write_text(output, "utf-8")
        reason = next((line for line in output.splitlines() if "rror" in line), "no message")
        raise SimulatorUnavailable(
            f"GeNN's code was not compiled: {reason.strip()}; the compiler's output is in {kept}. Is a C++ "
            f"compiler installed (CXX={os.environ.get('CXX', 'g++')})?"
        )


@contextlib.contextmanager
def _environment(**changes: str | None) -> Iterator[None]:
    """Set environment variables, or remove them (None), for the time of a block."""
    before = {name: os.environ.get(name) for name in changes}
    try:
        _set(changes)
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
