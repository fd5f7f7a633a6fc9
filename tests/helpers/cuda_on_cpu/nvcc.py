"""A stand-in for nvcc that compiles GeNN's code for the CPU: kernel launches become calls, the rest is C++.

`CUDA_PATH/bin/nvcc` calls it. It knows the three ways in which GeNN's makefile calls nvcc: dependencies (-M),
an object (-dc), and the library (--shared).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LAUNCH = re.compile(r"(\w+)<<<(.+?),\s*(.+?)>>>\((.*?)\);", re.DOTALL)
HEADERS = re.compile(r"#include <(curand_kernel|cuda_fp16)\.h>")


def main(words: list[str]) -> int:
    compiler = os.environ.get("CXX", "g++")
    if "-M" in words:
        source = Path(words[-1])
        print(f"{source.with_suffix('.o').name}: {source.name}")
        return 0
    if "--shared" in words:
        out = words[words.index("-o") + 1]
        objects = [word for word in words if word.endswith(".o")]
        return subprocess.call([compiler, "-shared", "-o", out, *objects])
    source = Path(words[-1])
    folder = source.resolve().parent / "on_cpu"
    folder.mkdir(exist_ok=True)
    for path in (source, *source.resolve().parent.glob("*.h")):
        (folder / path.name).write_text(translated(path.read_text()))
    # Contracted multiplications and additions would round other than the CPU backend's. Unique symbols would
    # be shared by all models of a process, and outlive the library that they point into.
    exact = ["-ffp-contract=off", "-fno-gnu-unique"]
    flags = ["-std=c++17", "-O1", "-fPIC", *exact, "-fpermissive", "-w", f"-I{HERE}"]
    words = [compiler, *flags, "-include", "cuda_on_cpu.h", "-c", str(folder / source.name)]
    return subprocess.call([*words, "-o", str(source.with_suffix(".o"))])


def translated(code: str) -> str:
    """Return CUDA code as C++."""

    def call(found: re.Match[str]) -> str:
        arguments = ", ".join(part for part in found.groups() if part)
        return f"cuda_on_cpu::launch({arguments});"

    return LAUNCH.sub(call, HEADERS.sub("", code))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
