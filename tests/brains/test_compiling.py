"""A user is told that the first step compiles, and only then; what is kept on disk is never stale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ethospike.brains.compiling import WORDS

CODE = """if True:
    import numba, numpy as np
    from ethospike.agents.larva import readout
    @numba.njit
    def of_the_user(x):
        return x + 1
    of_the_user(1)
    print(readout.preferences(np.ones((1, 2)), 0.5).tolist())
    readout.filter_rates(np.zeros(1, int), np.zeros(1, int), np.zeros(1, int), 0.5, 1.0, np.ones((1, 1)))
"""


def test_compiling_is_told_once_and_not_when_kernels_are_cached(tmp_path: Path) -> None:
    """The first step of a new larva was silent for 24 s."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=env)
        for _ in range(2)
    ]
    assert [run.stdout for run in runs] == ["[0.0]\n"] * 2
    assert [run.stderr for run in runs] == [f"{WORDS}\n", ""]


KERNEL = """from ethospike.brains.compiling import compiled
from kernels.constants import (
    LARGE,
    SMALL,
)
from kernels.callee import callee
@compiled
def total():
    return callee() + LARGE + SMALL
"""
CALLEE = """from ethospike.brains.compiling import compiled
from kernels.deep import DEEP
@compiled
def callee():
    return DEEP
"""


@pytest.mark.simulator("numba")
@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("constants", "LARGE, SMALL = 200, 1", 207),
        ("deep", "DEEP = 9", 110),
        ("other", "OTHER = 9", 107),
    ],
)
def test_machine_code_is_made_anew_when_a_file_that_it_is_made_of_changes(
    file: str, text: str, expected: int, tmp_path: Path
) -> None:
    """Numba watches a kernel's own file: an upgrade left kernels with the constants of the version before."""
    package = tmp_path / "kernels"
    package.mkdir()
    for name, content in {
        "__init__": "",
        "constants": "LARGE, SMALL = 100, 1",
        "deep": "DEEP = 6",
        "other": "OTHER = 1",
        "callee": CALLEE,
        "kernel": KERNEL,
    }.items():
        (package / f"{name}.py").write_text(content + "\n")
    code = (
        "from kernels import kernel as k; k.total(); print(k.total(), sum(k.total.stats.cache_hits.values()))"
    )

    def run() -> list[int]:
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        return [int(number) for number in done.stdout.split()]

    assert run() == [107, 0]
    assert run() == [107, 1]
    (package / f"{file}.py").write_text(text + "\n")
    assert run() == [expected, int(file == "other")]


MOVED = """from ethospike.brains.compiling import compiled
from pairs.{place} import Pair
@compiled
def total(pair):
    return pair.a + pair.b
"""
PAIR = "from typing import NamedTuple\nclass Pair(NamedTuple):\n    a: int\n    b: int\n"


@pytest.mark.simulator("numba")
def test_a_class_that_moves_to_another_file_leaves_no_code_that_cannot_be_read(tmp_path: Path) -> None:
    """Numba reads the types of kept code before it looks whether the code is fresh."""
    package = tmp_path / "pairs"
    package.mkdir()
    (package / "__init__.py").touch()
    for place in ("here", "there"):
        (package / f"{place}.py").write_text(PAIR)
        (package / "kernel.py").write_text(MOVED.format(place=place))
        code = f"from pairs.kernel import total; from pairs.{place} import Pair; print(total(Pair(1, 2)))"
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stdout.strip() == "3"
        (package / f"{place}.py").unlink()
