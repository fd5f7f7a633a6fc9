"""The package as users install it: wheel and source distribution, outside the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import house_rules
import pytest
from places import EXAMPLES, ROOT

import ethospike

HIDING = ("agents", "envs", "ethospike", "scenarios")
"""Folders of a user's own that have the names of ours."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wheel and a source distribution, built from a copy of the sources."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "dist"))
    for room in house_rules.ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    # Listed in a .pth, a folder is searched for packages, but its own .pth (the checkout) are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        built[0],
    ]
    subprocess.run(command, capture_output=True, check=True)
    return python


def test_the_wheel_holds_every_file_of_every_room(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        held = set(wheel.namelist())
    expected = {
        house_rules.module_of(ROOT, path).replace(".", "/") + ("/__init__" if path.stem == "__init__" else "")
        for path in house_rules.files(ROOT)
    }
    expected = {f"{name}.py" for name in expected} | {"ethospike/py.typed"}
    assert len(expected) > 200
    assert {name for name in held if ".dist-info/" not in name} == expected


def test_the_source_distribution_holds_every_room(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    assert {str(path.relative_to(ROOT)) for path in house_rules.files(ROOT)} <= held
    assert "core/py.typed" in held


def test_the_version_is_said_once(installed: Path) -> None:
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"]
    code = "import ethospike, importlib.metadata as m; print(ethospike.__version__, m.version('ethospike'))"
    done = subprocess.run([installed, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [ethospike.__version__] * 2


@pytest.mark.simulator("nest")
def test_a_scenario_runs_among_folders_that_have_our_names(installed: Path, tmp_path: Path) -> None:
    """On NEST, because Numba would compile anew in a fresh environment."""
    for name in HIDING:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            "" if name == "agents" else "raise ImportError('hidden')\n"
        )
    (tmp_path / "ethospike" / "__init__.py").unlink()
    shutil.copy(EXAMPLES / "vehicle.py", tmp_path)
    words = ["run", "vehicle.py", "--duration-s", "0.3", "--simulator", "nest", "--quiet", "--out", "run"]
    command = [installed, "-m", "ethospike", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "summary.json").is_file()


def test_a_folder_named_ethospike_does_not_hide_the_checkout(tmp_path: Path) -> None:
    if not Path(sysconfig.get_path("purelib"), "ethospike-links.pth").exists():
        pytest.skip("this environment was not made by `make setup`, which puts the checkout on Python's path")
    (tmp_path / "ethospike").mkdir()
    command = [
        sys.executable,
        "-c",
        "import ethospike, ethospike.brains.network; print(ethospike.__version__)",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ethospike.__version__
