"""Which room may import which, and that heavy packages wait until they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "envs": {"agents", "brains", "recorders", "scenarios"},
    "brains": {"envs", "agents", "recorders", "scenarios"},
    "agents": {"recorders", "scenarios"},
    "recorders": {"agents", "brains", "scenarios"},
    "scenarios": set(),
}
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
    files = sorted((ROOT / room).glob("*.py"))
    assert len(files) > 3
    for file in files:
        rooms = {name.split(".")[1] for name in imported(file) if name.startswith("ethospike.")}
        assert rooms <= set(FORBIDDEN), f"{file}: imports {rooms}"
        assert not rooms & FORBIDDEN[room], f"{file} imports {rooms & FORBIDDEN[room]}"


def test_rooms_are_flat_and_all_their_files_belong_to_a_package() -> None:
    for room in FORBIDDEN:
        folders = [p for p in (ROOT / room).iterdir() if p.is_dir() and p.name != "__pycache__"]
        assert folders == []
        assert (ROOT / room / "__init__.py").exists()


@pytest.mark.parametrize(
    "package",
    [
        *("agents", "brains", "envs", "recorders", "scenarios"),
        *("agents.baselines", "agents.larva", "brains.simulator", "brains.spike_sources", "envs.odor_arena"),
    ],
)
def test_importing_a_room_loads_nothing_heavy(package: str) -> None:
    code = f"import sys, ethospike.{package}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
