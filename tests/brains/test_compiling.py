"""A user is told that the first step compiles, and only then; what is kept on disk is never stale."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import house_rules
import pytest
from places import ROOT

from ethospike.brains.compiling import WORDS

CODE = """if True:
    import numba, numpy as np
    from ethospike.agents.larva import readout
    @numba.njit
    def of_the_user(x):
        return x + 1
    of_the_user(1)
    preference = np.ones(1)
    readout.preferences(np.ones((1, 2)), 0.5, preference)
    print(preference.tolist())
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


SWAPPED = """from ethospike.brains.compiling import compiled
@compiled
def total(numbers):
    return numbers.sum()
"""


@pytest.mark.simulator("numba")
def test_code_of_other_types_is_not_taken_for_that_of_a_signature(tmp_path: Path) -> None:
    """Numba does not look whether a file holds the signature for which the index names it.

    Two processes that start with an empty cache, as those of a sweep or of tests, can leave such an index.
    """
    (tmp_path / "kernel.py").write_text(SWAPPED)
    code = (
        "import numpy as np; from kernel import total; "
        "print(total(np.array([1, 2])), total(np.array([0.5, 0.25])), sum(total.stats.cache_hits.values()))"
    )

    def totals() -> list[float]:
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        return [float(number) for number in done.stdout.split()]

    assert totals() == [3.0, 0.75, 0.0]
    assert totals() == [3.0, 0.75, 2.0]
    first, second = sorted((tmp_path / "__pycache__").glob("*.nbc"))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert totals() == [3.0, 0.75, 0.0]
    assert totals() == [3.0, 0.75, 2.0]


def run(code: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Run code in a process; a variable that is None is removed."""
    env = {**os.environ, **{key: value for key, value in environment.items() if value is not None}}
    for key in [key for key, value in environment.items() if value is None]:
        env.pop(key, None)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=env, check=False
    )


def test_damaged_files_of_the_cache_are_dropped_and_made_again(tmp_path: Path) -> None:
    """A truncated file ended every later run in an EOFError."""
    cache = str(tmp_path)
    assert run(CODE, NUMBA_CACHE_DIR=cache).returncode == 0
    (index,) = tmp_path.rglob("*preferences*.nbi")
    (data,) = tmp_path.rglob("*filter_rates*.nbc")
    for damage in (b"", index.read_bytes()[:20], bytes(len(index.read_bytes()))):
        index.write_bytes(damage)
        data.write_bytes(data.read_bytes()[:100])
        done = run(CODE, NUMBA_CACHE_DIR=cache)
        assert (done.returncode, done.stdout) == (0, "[0.0]\n"), done.stderr
        warning, told = done.stderr.splitlines()
        assert "damaged file of compiled code" in warning
        assert told == WORDS
    after = run(CODE, NUMBA_CACHE_DIR=cache)
    assert (after.returncode, after.stdout, after.stderr) == (0, "[0.0]\n", "")


def package_that_cannot_be_written(site: Path) -> None:
    """Make a package of links whose folders have no room for a cache, also for root."""
    for room in ("core", *house_rules.ROOMS[1:]):
        for file in (ROOT / room).rglob("*.py"):
            name = house_rules.module_of(ROOT, file).replace(".", "/")
            place = site / (f"{name}/__init__.py" if file.name == "__init__.py" else f"{name}.py")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file)
    for folder in {path.parent for path in site.rglob("*.py")}:
        (folder / "__pycache__").write_text("a file, where a folder would be needed")


def test_a_place_that_cannot_be_written_costs_a_line_and_not_the_run(tmp_path: Path) -> None:
    """A user without a home that can be written met "no locator available"."""
    site, temporary = tmp_path / "site", tmp_path / "temporary"
    temporary.mkdir()
    package_that_cannot_be_written(site)
    where = {
        "PYTHONPATH": str(site),
        "HOME": "/dev/null",
        "TMPDIR": str(temporary),
        **dict.fromkeys(("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "ETHOSPIKE_CACHE")),
    }
    code = (
        f"import ethospike; assert ethospike.__file__.startswith({str(site)!r}), ethospike.__file__\n" + CODE
    )
    first, second = (run(code, **where) for _ in range(2))
    assert (first.returncode, first.stdout) == (0, "[0.0]\n"), first.stderr
    warning, told = first.stderr.splitlines()
    assert "/dev/null/.cache/ethospike cannot be written" in warning
    assert str(temporary / f"ethospike-{os.getuid()}" / "numba") in warning
    assert told == WORDS
    assert second.stderr.splitlines() == [warning]  # kept there, and found again
    # Where nothing at all can be written, nothing is kept.
    nowhere = run(
        code.replace("import numba,", "import tempfile; tempfile.tempdir = '/dev/null'; import numba,"),
        **where,
    )
    assert (nowhere.returncode, nowhere.stdout) == (0, "[0.0]\n"), nowhere.stderr
    assert "compiled in every process" in nowhere.stderr


def test_kernels_are_compiled_where_numba_is_told_not_to(tmp_path: Path) -> None:
    done = run(CODE, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_DISABLE_JIT="1")
    assert (done.returncode, done.stdout) == (0, "[0.0]\n"), done.stderr
    assert done.stderr.splitlines()[0].startswith(
        "warning: NUMBA_DISABLE_JIT is set, and ignored from here on"
    )
    assert list(tmp_path.rglob("*preferences*.nbc"))


@pytest.mark.parametrize(
    "name",
    [
        "blocks",
        "muting",
        "team",
        "bits.kernels",
        "bits.generated_rows",
        "lists.kernels",
        "lists.dopamine_gated",
        "lists.plasticity_kernels",
        "lists.stepped_kernels",
        "rows.kernels",
        "rows.arrivals",
        "rows.dopamine_gated",
        "rows.relaxing",
        "rows.stepped",
    ],
)
def test_no_kernel_of_a_step_counts_references(name: str) -> None:
    """An atomic operation for each array of a tuple in each call made larvae 2.6 times slower."""
    module = importlib.import_module(f"ethospike.brains.numba.{name}")
    kernels = [
        value
        for value in vars(module).values()
        if hasattr(value, "targetoptions") and value.__module__ == module.__name__
    ]
    assert kernels
    counting = [value.__name__ for value in kernels if value.targetoptions.get("_nrt", True)]
    assert not counting
