"""The documentation site has every command, field and public name; the build itself is `make docs`."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from places import DOCS

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


def test_every_command_has_a_page(generate: ModuleType, pages: Path) -> None:
    commands = generate.commands()
    assert ("run",) in commands
    assert ("validate", "reach") in commands
    index = (pages / "commands" / "index.md").read_text()
    for words in commands:
        page = pages / "commands" / f"{'-'.join(words)}.md"
        assert "Usage: " in page.read_text(), words
        assert f"\n{page.stem}\n" in index


def flags(kind: type, prefix: str = "") -> list[str]:
    """Return the flags of the fields of a configuration, those of inner ones included."""
    found = []
    for field in dataclasses.fields(kind):
        name = f"{prefix}{field.name.replace('_', '-')}"
        default = field.default_factory() if callable(field.default_factory) else field.default
        if dataclasses.is_dataclass(default) and not isinstance(default, type):
            found += flags(type(default), f"{name}.")
        else:
            found.append(name)
    return found


def test_every_field_of_every_scenario_is_described(generate: ModuleType, pages: Path) -> None:
    for name in generate.scenarios():
        text = re.sub(r"[│\s]+", " ", (pages / "commands" / f"run-{name}.md").read_text()).lower()
        wanted = flags(find_scenario(name).config)
        assert len(wanted) > 15, name
        missing = [flag for flag in wanted if f"--{flag.lower()}" not in text]
        assert not missing, f"{name}: {missing}"


def test_every_public_name_has_a_page(generate: ModuleType, pages: Path) -> None:
    documented = {path.stem for path in (pages / "reference").glob("ethospike.*.rst")}
    assert len(documented) > 100
    for module in generate.modules():
        if "conformance" in module or ".command" in module:
            continue
        assert module in documented, module
        page = (pages / "reference" / f"{module}.rst").read_text()
        assert "automodule" in page or "not installed here" in page


def test_every_page_of_docs_is_in_a_section(pages: Path) -> None:
    listed = set()
    for section in ("how-to-guides", "explanations", "benchmarks", "project"):
        text = (pages / "pages" / f"{section}.md").read_text()
        listed |= {line.strip() for line in text.splitlines() if re.fullmatch(r"[\w/\-]+", line.strip())}
    there = {path.stem for path in DOCS.glob("*.md")}
    assert there <= listed
    assert "benchmarks/two-cores" in listed


def test_links_between_pages_lead_somewhere(pages: Path) -> None:
    for page in (pages / "pages").rglob("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path = target.partition("#")[0]
            if path and not re.match(r"[a-z]+:", target):
                assert (page.parent / path).exists(), f"{page.name}: {target}"
