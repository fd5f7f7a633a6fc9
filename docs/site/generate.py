"""Pages of the site that are made from the code: reference, commands, fields, and the pages of docs/.

`python docs/site/generate.py FOLDER` writes them without building the site, as the test does that every
command, field and public name is documented.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import io
import os
import pkgutil
import re
import shutil
import sys
from collections.abc import Container
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
ROOMS = ("agents", "brains", "envs", "recorders", "scenarios")
EXPLANATIONS = {
    "How-to guides": (
        "own_experiments",
        "any_environment",
        "nest_scripts",
        "neuron_models",
        "plasticity",
        "connectomes",
        "arms",
        "experiments",
        "analysis",
        "sweeps",
        "reports",
        "view",
        "larvaworld",
        "support",
    ),
    "Explanations": (
        "design",
        "environments",
        "format",
        "simulators",
        "validation",
        "validation_larva",
        "validation_cortex",
        "validation_reach",
        "validation_reach_published",
        "validation_networks",
        "validation_arms",
        "validation_recordings",
    ),
}
"""Pages of docs/ by section, in their order; those that do not exist are left out, others come after them."""

TITLES = {"validation_larva": "Larvae: all tables", "validation_reach": "Reach: all tables"}
"""Titles of pages that have none."""


def absent_packages() -> list[str]:
    """Return simulators that are not installed here: their modules are documented without being imported."""
    return [name for name in ("nest", "pygenn") if importlib.util.find_spec(name) is None]


def modules() -> list[str]:
    """Return the names of all modules of ethospike, the command line's entry points left out."""
    import ethospike

    names = [
        found.name
        for found in pkgutil.walk_packages(ethospike.__path__, "ethospike.")
        if not found.name.endswith("__main__") and not any(p.startswith("_") for p in found.name.split("."))
    ]
    return sorted(names)


def public_names(module: str) -> list[str]:
    """Return the public classes and functions that a module defines, compiled ones included."""
    try:
        there = importlib.import_module(module)
    except ImportError:
        return []
    return sorted(
        name
        for name, value in vars(there).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "py_func"))
        and getattr(value, "__module__", "") == module
    )


def write_all(folder: Path) -> None:
    """Write all pages into a folder, which is emptied of older ones but for tutorials."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, write in (
        ("pages", _write_pages),
        ("reference", _write_reference),
        ("commands", _write_commands),
    ):
        shutil.rmtree(folder / kind, ignore_errors=True)
        (folder / kind).mkdir()
        write(folder / kind)


# -- pages of docs/ -----------------------------------------------------------------------------------------


def _write_pages(folder: Path) -> None:
    """Copy docs/ as it is, with an index of its sections; links out of docs/ become names."""
    for path in DOCS.iterdir():
        if path.name == "site" or path.name.startswith((".", "__")):
            continue
        if path.is_dir():
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder / path.name)
    shutil.copy(ROOT / "CHANGELOG.md", folder / "CHANGELOG.md")
    shutil.copy(ROOT / "CONTRIBUTING.md", folder / "CONTRIBUTING.md")
    readme = (
        (ROOT / "README.md").read_text("utf-8").replace("](docs/", "](").replace("# ethospike", "# Start", 1)
    )
    (folder / "start.md").write_text(readme, encoding="utf-8")
    for page in folder.rglob("*.md"):
        _mend_links(page, folder)
    there = {path.stem for path in DOCS.glob("*.md")}
    listed = {name for names in EXPLANATIONS.values() for name in names}
    sections = {title: [n for n in names if n in there] for title, names in EXPLANATIONS.items()}
    sections["Explanations"] += sorted(there - listed)
    sections["Benchmarks"] = [
        f"benchmarks/{path.stem}" for path in sorted((DOCS / "benchmarks").glob("*.md"))
    ]
    sections["Project"] = ["CHANGELOG", "CONTRIBUTING"]
    for title, names in sections.items():
        lines = [f"# {title}", "", *(_entry(folder, name) for name in names)]
        lines += ["", "```{toctree}", ":hidden:", "", *names, "```", ""]
        (folder / f"{_slug(title)}.md").write_text("\n".join(lines), encoding="utf-8")


def _entry(folder: Path, name: str) -> str:
    """Return a line of a list of pages: the title of a page, and its first sentence."""
    title, _, text = (folder / f"{name}.md").read_text("utf-8").partition("\n")
    paragraphs = (block.strip() for block in text.split("\n\n"))
    prose = next((block for block in paragraphs if re.match(r"[A-Z`*\[]", block)), "")
    sentence = _first_sentence(re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", prose))
    return f"* [{title.removeprefix('# ')}]({name}.md)" + (f": {sentence}" if sentence else "")


def _first_sentence(text: str) -> str:
    """Return the first sentence of a paragraph in one line."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`*])", " ".join(text.split()), maxsplit=1)[0].rstrip(":;.")


def _mend_links(page: Path, folder: Path) -> None:
    """Turn links to files that the site does not have into their names."""
    text = page.read_text("utf-8")

    def mended(found: re.Match[str]) -> str:
        label, target = found[1], found[2]
        path = target.partition("#")[0].replace("docs/", "")
        if re.match(r"[a-z]+:", target) or not path:
            return found[0]
        if path.startswith("../"):
            return label if not (page.parent / path).resolve().exists() else found[0]
        if not (page.parent / path).is_file():
            return label
        return f"[{label}]({target.replace('docs/', '')})"

    if not text.startswith("# "):  # a report that the program wrote, which begins with its parts
        text = f"# {TITLES.get(page.stem, page.stem.replace('_', ' ').capitalize())}\n\n{text}"
    page.write_text(re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", mended, text), encoding="utf-8")


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


# -- reference ----------------------------------------------------------------------------------------------


def documented_modules() -> list[str]:
    """Return the modules that have a page: all but the code of the commands, which have their own pages."""
    return ["ethospike", *(name for name in modules() if ".command" not in name)]


def missing_names(documented: Container[str]) -> list[str]:
    """Return the public classes and functions that the reference lacks, of modules that can be imported."""
    absent = absent_packages()
    return [
        f"{module}.{name}"
        for module in documented_modules()
        if _needs(module, absent) is None
        for name in public_names(module)
        if f"{module}.{name}" not in documented
    ]


def _write_reference(folder: Path) -> None:
    """Write a page for each module; that of a package lists its modules with their first sentences."""
    absent, names = absent_packages(), documented_modules()
    for module in names:
        title = module.removeprefix("ethospike.")
        lines = [title, "=" * len(title), ""]
        if (skipped := _needs(module, absent)) is not None:
            lines += [f".. note:: {skipped} is not installed here, so this module is not described.", ""]
        else:
            lines += [f".. automodule:: {module}", "   :members:", "   :show-inheritance:"]
            lines += ["   :ignore-module-all:", "", *_exported(module)]
        parts = [name for name in names if name.rpartition(".")[0] == module]
        if module == "ethospike":
            parts = [name for name in parts if name.rpartition(".")[2] not in ROOMS]
        lines += _modules_in(parts)
        (folder / f"{module}.rst").write_text("\n".join(lines), encoding="utf-8")


def _modules_in(names: list[str]) -> list[str]:
    """Return the lines of a list of modules, each with the first sentence of its docstring."""
    if not names:
        return []
    lines = [".. rubric:: Modules", ""]
    for name in names:
        short = name.rpartition(".")[2]
        sentence = _first_sentence((_docstring(name) or "").partition("\n\n")[0])
        lines.append(f"* :doc:`{short} <{name}>`" + (f": {sentence}" if sentence else ""))
    lines += ["", ".. toctree::", "   :hidden:", ""]
    return [*lines, *(f"   {name.rpartition('.')[2]} <{name}>" for name in names), ""]


def _docstring(module: str) -> str | None:
    """Return the docstring of a module without importing it: its simulator may be absent."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return ast.get_docstring(ast.parse(Path(spec.origin).read_text("utf-8")))


def without_type(lines: list[str]) -> list[str]:
    """Return the text of a constant with an empty type before it.

    Napoleon takes the words before the first colon of the first line for the type of the constant.
    """
    return [f":{lines[0]}", *lines[1:]] if lines and ":" in lines[0] else lines


def _exported(module: str) -> list[str]:
    """Return a list of the names that a package offers and other modules define."""
    there = importlib.import_module(module)
    names = []
    for name in sorted(getattr(there, "__all__", ())):
        home = getattr(getattr(there, name), "__module__", None)
        if isinstance(home, str) and home != module and home.startswith("ethospike."):
            names.append(f"* :py:obj:`{name} <{home}.{name}>`")
    return ["Names that are imported from here:", "", *names, ""] if names else []


def _needs(module: str, absent: list[str]) -> str | None:
    """Return the simulator that a module needs and that is absent."""
    for package, folder in (("nest", "brains.nest."), ("pygenn", "brains.genn.")):
        if package in absent and folder in module:
            return package
    return None


# -- commands -----------------------------------------------------------------------------------------------


def commands() -> list[tuple[str, ...]]:
    """Return the words of each command of the program."""
    from ethospike.scenarios.command.app import app

    found: list[tuple[str, ...]] = []

    def visit(node, words: tuple[str, ...]) -> None:
        for name in node:
            if name.startswith("-"):
                continue
            inner = node[name]
            found.append((*words, name))
            visit(inner, (*words, name))

    visit(app, ())
    return sorted(found)


def scenarios() -> list[str]:
    """Return the names of the scenarios of the package."""
    from ethospike.scenarios.registry import SCENARIOS

    return sorted(SCENARIOS)


def help_of(*words: str) -> str:
    """Return the help of a command as plain text of 100 columns."""
    from ethospike.scenarios.command.app import main

    wanted = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    before, arguments, shown = {key: os.environ.get(key) for key in wanted}, sys.argv, io.StringIO()
    os.environ.update(wanted)
    sys.argv = ["ethospike", *words, "--help"]
    try:
        with redirect_stdout(shown), suppress(SystemExit):
            main()
    finally:
        sys.argv = arguments
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
    return shown.getvalue().rstrip()


def _write_commands(folder: Path) -> None:
    """Write a page for each command, and for each scenario one with all fields of its configuration."""
    listed = [_command_page(folder, words) for words in [(), *commands()]]
    fields = [_scenario_page(folder, name) for name in scenarios()]
    lines = ["# Commands and fields", "", *listed, "", "## Scenarios, and the fields of each", "", *fields]
    pages = [re.findall(r"\]\((.+?)\.md\)", line)[0] for line in (*listed, *fields)]
    lines += ["", "```{toctree}", ":hidden:", "", *pages, "```", ""]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def _command_page(folder: Path, words: tuple[str, ...]) -> str:
    """Write the page of a command; return its line in the list of pages."""
    title, page, text = " ".join(["ethospike", *words]), "-".join(words) or "ethospike", help_of(*words)
    (folder / f"{page}.md").write_text(f"# {title}\n\n```text\n{text}\n```\n", encoding="utf-8")
    about = next((part for part in text.split("\n\n") if not part.startswith("Usage")), "")
    return f"* [{title}]({page}.md): {_escaped(_first_sentence(about))}"


def _scenario_page(folder: Path, name: str) -> str:
    """Write the page of a scenario with its fields; return its line in the list of pages."""
    from ethospike.scenarios.flags import flags_of
    from ethospike.scenarios.registry import find_scenario

    scenario, tables = find_scenario(name), dict[str, list[str]]()
    for flag in flags_of(scenario.config):
        tables.setdefault(".".join(flag.path[:-1]), []).append(_field(flag))
    lines = [f"# ethospike run {name}", "", _escaped(scenario.about), ""]
    lines += ["Each field is a flag of `run`, `sweep` and `calibrate`, and a key of `config.toml`: the flag"]
    lines += ["`--recorder.voltages` is the key `voltages` in the table `[recorder]`.", ""]
    presets = ", ".join(f"`{preset}`" for preset in scenario.presets) or "none"
    lines += [f"Presets (`--preset`, sets of values under a name): {presets}.", ""]
    for table, entries in tables.items():
        lines += [f"## {table or 'Fields'}", "", *entries]
    page = f"run-{name}"
    (folder / f"{page}.md").write_text("\n".join(lines), encoding="utf-8")
    return f"* [{name}]({page}.md): {_escaped(_first_sentence(scenario.about))}"


def _field(flag: Any) -> str:
    """Return a field as an entry of a list: its flag, its type, its text, its default."""
    from ethospike.scenarios.flags import type_name

    names = [flag.name, *(name for name in flag.variants() if flag.is_truth_value)]
    kind = "" if flag.is_truth_value else f" {type_name(flag.hint)}"
    ends = [] if flag.default is None else [f"Default: `{flag.default}`."]
    if flag.path[-1] != flag.path[-1].lower():
        ends.append(f"In `config.toml`: `{'.'.join(flag.path)}`.")
    about = _escaped(flag.about)
    about += "." if about and not about.endswith(".") else ""
    return f"`{' '.join(names)}{kind}`\n: {' '.join([about, *ends]).strip() or '–'}\n"


def _escaped(text: str) -> str:
    """Return text in which nothing is markup but code between backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_<\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    with redirect_stdout(io.StringIO()):
        write_all(Path(sys.argv[1]))
