"""Folders for compiled code: the user's, or a private one among the temporary files."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from ethospike import paths
from ethospike.errors import tell_once
from ethospike.paths import cache_folder, temporary_folder


@pytest.fixture(autouse=True)
def other_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("ETHOSPIKE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    temporary_folder.cache_clear()
    tell_once.cache_clear()


@pytest.mark.parametrize(
    ("variable", "inside"),
    [("ETHOSPIKE_CACHE", "genn"), ("XDG_CACHE_HOME", "ethospike/genn"), ("HOME", ".cache/ethospike/genn")],
)
def test_the_users_choice_comes_first(
    variable: str,
    inside: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if variable == "HOME" and sys.platform == "darwin":
        inside = "Library/Caches/ethospike/genn"
    monkeypatch.setenv(variable, str(tmp_path / "chosen"))
    assert cache_folder("genn") == tmp_path / "chosen" / inside
    assert (tmp_path / "chosen" / inside).is_dir()
    assert capsys.readouterr().err == ""


def test_a_user_without_a_home_gets_a_private_folder_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "has_home", lambda: False)
    folders = {cache_folder("numba") for _ in range(3)}
    assert folders == {tmp_path / f"ethospike-{os.getuid()}" / "numba"}
    assert stat.S_IMODE((tmp_path / f"ethospike-{os.getuid()}").stat().st_mode) == 0o700
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: this user has no home folder; compiled code is kept in")


def test_a_folder_into_which_others_can_write_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They could put code there that this user would run."""
    own = tmp_path / f"ethospike-{os.getuid()}"
    own.mkdir()
    own.chmod(0o777)
    assert temporary_folder().parent == tmp_path
    assert temporary_folder() != own
    own.rmdir()
    (tmp_path / "elsewhere").mkdir()
    own.symlink_to(tmp_path / "elsewhere")
    temporary_folder.cache_clear()
    assert temporary_folder() != own
