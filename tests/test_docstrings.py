"""The examples in docstrings run and print what they say."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "envs", "brains", "agents", "recorders", "scenarios")
CLAUSES = {"what", "who", "whose"}
NEEDS = {"nest": "nest", "numba": "numba", "genn": "genn"}
"""Simulators that the modules of a folder of brains/ need."""


def modules() -> list[object]:
    """Return the modules with examples, marked with the simulator that their examples open."""
    found: list[object] = []
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            if ">>>" not in file.read_text("utf-8"):
                continue
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = ".".join(("ethospike", *(parts[1:] if room == "core" else parts))).removesuffix(
                ".__init__"
            )
            folder = parts[1] if room == "brains" and len(parts) > 2 else ""
            marks = [pytest.mark.simulator(NEEDS[folder])] if folder in NEEDS else []
            found.append(pytest.param(name, marks=marks, id=name.removeprefix("ethospike.")))
    return found


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testmod(module, optionflags=options)
    assert tried > 0 or "doctest: +SKIP" in Path(str(module.__file__)).read_text("utf-8")
    assert failed == 0


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_name_the_thing(room: str) -> None:
    """No docstring begins with a relative clause, and hardly any has one."""
    texts = [(file, text) for file in sorted((ROOT / room).rglob("*.py")) for text in docstrings(file)]
    assert len(texts) > 20
    for file, text in texts:
        first = text.split()[0].rstrip(",:").lower()
        assert first not in {*CLAUSES, "whether", "how"}, f"{file.relative_to(ROOT)}: {text.splitlines()[0]}"
    words = [word.strip(".,;:()`?").lower() for _, text in texts for word in text.split()]
    count = sum(word in CLAUSES for word in words)
    assert count <= 1.5e-3 * len(words), f"{count} of {len(words)} words are what, who or whose"


def docstrings(file: Path) -> list[str]:
    """Return the docstrings of a file, those below constants and fields included."""
    strings = [
        node.value.value
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    return [text for text in strings if isinstance(text, str) and text.strip()]
