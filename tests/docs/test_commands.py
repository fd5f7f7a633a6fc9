"""The commands that the documents name exist, with their scenarios, flags and parts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from places import DOCS, ROOT

from ethospike.scenarios.command.app import app
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.validation import arms, connectomes, networks
from ethospike.scenarios.validation.larva import report as larva
from ethospike.scenarios.validation.reach import comparison as reach

PLACEHOLDERS = {"J": "6", "SCENARIO": "crawling", "CIRCUIT": "drawn"}
"""Words that stand for a value, and one of their values."""


def commands(file: Path) -> set[str]:
    """Return the commands `ethospike …` of a document, those in its text and those in its blocks."""
    text = file.read_text("utf-8")
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    typed = {line.strip() for line in lines if line.strip().startswith("ethospike ")}
    return typed | {" ".join(given.split()) for given in re.findall(r"`(ethospike [^`]+)`", text)}


CASES = [
    pytest.param(command, id=f"{file.stem}: {command}")
    for file in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
    if "site" not in file.relative_to(ROOT).parts  # where copies of the others are made
    for command in sorted(commands(file))
]


def words_of(command: str) -> list[str]:
    """Return the words of a command as a shell would hand them over, comments and `|| …` cut off."""
    words = shlex.split(command.replace("…/", "~/"), comments=True)[1:]
    words = words[: words.index("||")] if "||" in words else words
    return [PLACEHOLDERS.get(word, word) for word in words]


def test_there_are_commands() -> None:
    assert len(CASES) > 80


@pytest.mark.parametrize("command", CASES)
def test_a_command_of_the_documents_exists(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(command)
    if len(words) == 1 or words[-1] == "--help":  # a mention of the command
        assert words[0] in {*app, "--help"}
        return
    function, bound, ignored = app.parse_args(words, exit_on_error=False, print_error=False)
    assert not ignored
    given: dict[str, Any] = bound.arguments
    if words[0] in ("run", "sweep", "calibrate"):
        scenario = given["scenario"]
        if scenario.endswith(".py"):
            return
        chosen = find_scenario(scenario)
        choice = given["choice"] if "choice" in given else function.__kwdefaults__["choice"]
        assert choice.configuration(chosen, given.get("flags", ())) is not None
    elif words[0] == "validate":
        kinds: dict[str, Mapping[str, Any]] = {"reach": reach.PARTS, "networks": networks.VALIDATION.parts}
        kinds |= {"arms": arms.TITLES, "connectomes": connectomes.VALIDATION.parts}
        assert set(given.get("parts", ())) <= set(kinds.get(words[1], larva.PARTS))
