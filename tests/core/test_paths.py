"""Paths as users type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethospike.errors import EthospikeError
from ethospike.paths import expanded, user_path


def test_homes_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert expanded("~/x") == user_path("~/x") == tmp_path / "x"
    assert expanded("a/~") == Path("a/~")  # a name like any other
    assert user_path("a:b.mp4") == tmp_path / "a:b.mp4"


def test_a_home_that_does_not_exist_is_one_message() -> None:
    with pytest.raises(EthospikeError, match=r"~no-such-user/x: there is no such home folder"):
        user_path("~no-such-user/x")
