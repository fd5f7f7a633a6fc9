"""What a run says of the program that made it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ethospike.scenarios.run import provenance


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A user's repository, with the package in its .venv."""
    package = tmp_path / ".venv" / "ethospike"
    package.mkdir(parents=True)
    (package / "run_folder.py").touch()
    (tmp_path / "mine.py").touch()
    (tmp_path / ".gitignore").write_text(".venv\n")
    me = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*me, "commit", "-q", "-m", "mine"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_the_commit_of_a_repository_in_which_we_are_only_installed_is_not_ours(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(repository / "mine.py"))
    state = provenance.git_state()
    assert state is not None
    assert (len(state["commit"]), state["clean"]) == (40, True)
    monkeypatch.setattr(provenance, "__file__", str(repository / ".venv" / "ethospike" / "run_folder.py"))
    assert provenance.git_state() is None
