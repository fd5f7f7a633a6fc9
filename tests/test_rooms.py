"""Which room may import which, and that heavy packages wait until they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "core": {"agents", "brains", "envs", "recorders", "scenarios"},
    "envs": {"agents", "brains", "recorders", "scenarios"},
    "brains": {"envs", "agents", "recorders", "scenarios"},
    "agents": {"recorders", "scenarios"},
    "recorders": {"agents", "brains", "scenarios"},
    "scenarios": set(),
}
SHARED = "ethospike.brains.compiling"
"""The decorators of compiled code, which know no brain: environments may use them, in compiled files."""
HEAVY = ("nest", "pygenn", "numba", "pygame", "zarr")


def imported(path: Path) -> set[str]:
    """Return every module that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert len(files) > 3
    for file in files:
        if file == ROOT / "core" / "__main__.py":
            continue  # starts the command line
        names = {name for name in imported(file) if not (name + ".").startswith(SHARED + ".")}
        if SHARED in imported(file):
            assert file.name == "kernels.py" or room in ("agents", "brains"), f"{file} is compiled"
        rooms = {name.split(".")[1] for name in names if name.startswith("ethospike.")}
        core = {path.stem for path in (ROOT / "core").glob("*.py")} | {"__version__"}
        assert rooms <= set(FORBIDDEN) | core, f"{file}: imports {rooms}"
        assert not rooms & FORBIDDEN[room], f"{file} imports {rooms & FORBIDDEN[room]}"


def test_the_root_package_needs_numpy_alone() -> None:
    for file in (ROOT / "core").glob("[!_]*.py"):
        for name in imported(file):
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names | {"numpy", "ethospike"}, f"{file} imports {name}"


def test_every_folder_of_a_room_is_a_package_that_pyproject_lists() -> None:
    folders = {path.parent.relative_to(ROOT) for room in FORBIDDEN for path in (ROOT / room).rglob("*.py")}
    assert len(folders) > 20
    for folder in folders:
        assert (ROOT / folder / "__init__.py").exists(), folder
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = ["ethospike" if f == Path("core") else "ethospike." + ".".join(f.parts) for f in folders]
    assert sorted(settings["packages"]) == sorted(packages)


@pytest.mark.parametrize(
    "package",
    [
        *("agents", "brains", "envs", "recorders", "scenarios"),
        *(
            "agents.codes",
            "agents.larva",
            "agents.larva.baselines",
            "brains.simulator",
            "brains.spike_trains.sources",
            "envs.any_env",
            "envs.odor_arena",
        ),
    ],
)
def test_importing_a_room_loads_nothing_heavy(package: str) -> None:
    code = f"import sys, ethospike.{package}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
