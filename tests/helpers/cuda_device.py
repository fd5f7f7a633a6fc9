"""A CUDA device for tests where there is none: it has memory and no processors.

PyGeNN's CUDA backend then generates code, which nvcc compiles, or which a stand-in for nvcc compiles for the
CPU, where it runs. Needs a PyGeNN that was built with CUDA, a C++ compiler, and the toolkit's headers.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "cuda_on_cpu"
HEADER = Path("include") / "cuda_runtime_api.h"


def toolkit() -> Path:
    """Return the folder of the CUDA toolkit, or skip the test."""
    found = shutil.which("nvcc")
    places = [os.environ.get("CUDA_PATH"), found and Path(found).resolve().parents[1], "/usr/local/cuda"]
    for place in places:
        if place and (Path(place) / HEADER).exists() and (Path(place) / "bin" / "nvcc").exists():
            return Path(place)
    pytest.skip("the CUDA toolkit (nvcc and its headers) is not installed")


def environment(folder: Path, *, on_cpu: bool) -> dict[str, str]:
    """Return the environment of processes that have the device; with `on_cpu`, code runs on the CPU.

    Skips the test where PyGeNN was built without CUDA.
    """
    spec = importlib.util.find_spec("pygenn")
    package = Path(spec.origin).parent if spec and spec.origin else None
    if package is None or not list(package.glob("cuda_backend*.so")):
        pytest.skip("PyGeNN was built without its CUDA backend")
    cuda = toolkit()
    version = re.search(r"#define CUDART_VERSION\s+(\d+)", (cuda / HEADER).read_text())
    assert version is not None
    libraries = folder / "lib"
    libraries.mkdir(parents=True, exist_ok=True)
    for flags, name in (["-DDRIVER"], "libcuda.so.1"), ([], f"libcudart.so.{int(version[1]) // 1000}"):
        out = ["-o", str(libraries / name), f"-Wl,-soname,{name}"]
        words = ["cc", "-shared", "-fPIC", *flags, f"-I{cuda / 'include'}", str(HERE / "runtime.c"), *out]
        subprocess.run(words, check=True, capture_output=True)
    changes = {
        "LD_LIBRARY_PATH": os.pathsep.join([str(libraries), os.environ.get("LD_LIBRARY_PATH", "")]),
        "CUDA_PATH": str(_compiler_for_cpu(folder) if on_cpu else cuda),
        "ETHOSPIKE_CACHE": str(folder / "cache"),
    }
    if not on_cpu and not (cuda / "include" / "curand_kernel.h").exists():
        # GeNN's code always includes it; models that draw no number through it need its two types alone.
        (folder / "curand").mkdir(exist_ok=True)
        types = "struct curandState {}; struct curandStatePhilox4_32_10_t {};\n"
        (folder / "curand" / "curand_kernel.h").write_text(types)
        changes["NVCC_APPEND_FLAGS"] = f"-I{folder / 'curand'}"
    return {**os.environ, **changes}


def _compiler_for_cpu(folder: Path) -> Path:
    """Make a folder like that of a toolkit, with the stand-in for nvcc."""
    nvcc = folder / "toolkit" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True, exist_ok=True)
    nvcc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "nvcc.py"}" "$@"\n')
    nvcc.chmod(0o755)
    return folder / "toolkit"
