"""The documentation site has every command, field and public name; the build itself is `make docs`."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cyclopts import App
from places import DOCS, ROOT

from ethospike.scenarios.command.app import app
from ethospike.scenarios.flags import Flag, flags_of
from ethospike.scenarios.registry import find_scenario


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "site" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generate: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    generate.write_all(folder)
    return folder


# -- commands -------------------------------------------------------------------------------------------


def without_text(command: App) -> list[str]:
    """Return the parameters of a command that its help does not describe; the command itself as empty."""
    arguments = command.assemble_argument_collection(parse_docstring=True) if command.default_command else ()
    missing = [argument.name for argument in arguments if argument.show and not argument.parameter.help]
    return missing if command.help else ["", *missing]


def test_every_command_has_a_page(generate: ModuleType, pages: Path) -> None:
    commands = generate.commands()
    assert ("run",) in commands
    assert ("validate", "reach") in commands
    index = (pages / "commands" / "index.md").read_text()
    for words in commands:
        page = pages / "commands" / f"{'-'.join(words)}.md"
        assert "Usage: " in page.read_text(), words
        assert f"\n{page.stem}\n" in index
        assert re.search(rf"\({page.stem}\.md\): \S+ \S+", index), "it has a sentence"


def test_every_parameter_of_every_command_is_described(generate: ModuleType) -> None:
    seen = 0
    for words in generate.commands():
        command: Any = app
        for word in words:
            command = command[word]
        assert without_text(command) == [], words
        seen += len(command.assemble_argument_collection()) if command.default_command else 0
    assert seen > 80


def test_a_parameter_without_a_text_is_noticed() -> None:
    commands = App()

    @commands.command
    def forgetful(*, told: int = 1, untold: int = 2) -> None:
        """Do something.

        Parameters
        ----------
        told
            It is described.
        """

    @commands.command
    def silent() -> None:
        pass

    assert without_text(commands["forgetful"]) == ["--untold"]
    assert without_text(commands["silent"]) == [""]


# -- fields ---------------------------------------------------------------------------------------------


def undescribed(flags: Iterable[Flag], text: str) -> list[str]:
    """Return the flags that a page lacks, or shows without their sentence."""
    words = re.sub(r"\s+", " ", text.replace("\\", ""))
    return [f.name for f in flags if not f.about or f"`{f.name}" not in words or f.about not in words]


def test_every_field_of_every_scenario_is_described(generate: ModuleType, pages: Path) -> None:
    assert len(generate.scenarios()) >= 6
    for name in generate.scenarios():
        flags = list(flags_of(find_scenario(name).config))
        assert len(flags) > 15, name
        assert undescribed(flags, (pages / "commands" / f"run-{name}.md").read_text()) == [], name


def test_a_field_without_a_text_or_a_place_is_noticed() -> None:
    @dataclass
    class Forgetful:
        told: int = 1
        """It is described."""
        untold: int = 2

    flags = list(flags_of(Forgetful))
    assert undescribed(flags, "`--told INT`\n: It is\ndescribed. `--untold INT`") == ["--untold"]
    assert undescribed(flags[:1], "`--other INT`\n: It is described.") == ["--told"]


# -- names ----------------------------------------------------------------------------------------------


def test_every_module_has_a_page(generate: ModuleType, pages: Path) -> None:
    documented = {path.stem for path in (pages / "reference").glob("ethospike*.rst")}
    assert len(documented) > 200
    for module in generate.modules():
        if ".command" in module:  # commands have pages of their own
            continue
        assert module in documented, module
        page = (pages / "reference" / f"{module}.rst").read_text()
        assert "automodule" in page or "not installed here" in page
        parent, _, name = module.rpartition(".")
        listed = (ROOT / "docs/site/index.md") if parent == "ethospike" and name in generate.ROOMS else None
        text = (listed or pages / "reference" / f"{parent}.rst").read_text()
        assert f"{module}>" in text, "nobody finds it"


def test_a_public_name_that_the_reference_lacks_fails_the_build(generate: ModuleType) -> None:
    """The build compares the names of the code with those that Sphinx has described (conf.py)."""
    names = generate.missing_names(frozenset())
    assert len(names) > 500
    assert "ethospike.clock.whole_number" in names
    assert "ethospike.brains.network.network.Network" in names
    assert generate.missing_names(set(names) - {"ethospike.clock.whole_number"}) == [
        "ethospike.clock.whole_number"
    ]
    assert "missing_names" in (DOCS / "site" / "conf.py").read_text()


def test_a_colon_in_the_text_of_a_constant_makes_no_type(generate: ModuleType) -> None:
    text = ["More than a network has: channels count on by it.", "And so on: twice."]
    assert generate.without_type(text) == [f":{text[0]}", text[1]]
    assert generate.without_type(["As `group:name`."]) == [":As `group:name`."]
    for whole in ([], ["No colon.", "One: here."]):
        assert generate.without_type(whole) == whole


# -- pages ----------------------------------------------------------------------------------------------


def test_every_page_of_docs_is_in_a_section(pages: Path) -> None:
    listed = set()
    for section in ("how-to-guides", "explanations", "benchmarks", "project"):
        text = (pages / "pages" / f"{section}.md").read_text()
        listed |= {line.strip() for line in text.splitlines() if re.fullmatch(r"[\w/\-]+", line.strip())}
    there = {path.stem for path in DOCS.glob("*.md")}
    assert there <= listed
    assert "benchmarks/two-cores" in listed


def test_a_list_of_pages_says_what_each_is_about(generate: ModuleType, pages: Path) -> None:
    text = (pages / "pages" / "how-to-guides.md").read_text()
    assert "* [Control arms](arms.md): A claim about a circuit needs" in text
    assert generate._first_sentence("It is 0.5 s, i.e.\nshort. Then more.") == "It is 0.5 s, i.e. short"


def test_links_between_pages_lead_somewhere(pages: Path) -> None:
    for page in (pages / "pages").rglob("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path = target.partition("#")[0]
            if path and not re.match(r"[a-z]+:", target):
                assert (page.parent / path).exists(), f"{page.name}: {target}"
