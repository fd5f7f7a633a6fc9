"""Pages of the site that are made from the code: reference, commands, fields, and the pages of docs/.

`python docs/site/generate.py FOLDER` writes them without building the site, as the test does that every
command, field and public name is documented.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import pkgutil
import re
import shutil
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path

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
        "gpu",
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
        "validation_recordings",
    ),
}
"""Pages of docs/ by section, in their order; those that do not exist are left out, others come after them."""


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
    """Return the public classes and functions that a module defines."""
    try:
        there = importlib.import_module(module)
    except ImportError:
        return []
    return sorted(
        name
        for name, value in vars(there).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", "") == module
        and getattr(value, "__doc__", None)
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
    readme = (ROOT / "README.md").read_text("utf-8").replace("](docs/", "](")
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
        lines = [f"# {title}", "", "```{toctree}", ":maxdepth: 1", "", *names, "```", ""]
        (folder / f"{_slug(title)}.md").write_text("\n".join(lines), encoding="utf-8")


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
        text = f"# {page.stem.replace('_', ' ').capitalize()}\n\n{text}"
    page.write_text(re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", mended, text), encoding="utf-8")


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


# -- reference ----------------------------------------------------------------------------------------------


def _write_reference(folder: Path) -> None:
    """Write a page for each module with a docstring, and an index for each room."""
    absent = absent_packages()
    by_room: dict[str, list[str]] = {room: [] for room in ("core", *ROOMS)}
    for module in modules():
        parts = module.split(".")
        room = parts[1] if parts[1] in ROOMS else "core"
        if any(name in parts for name in ("conformance", "command")):
            continue  # tests of simulators, and the code of the commands, which have pages of their own
        by_room[room].append(module)
        title = module.removeprefix("ethospike.")
        lines = [title, "=" * len(title), ""]
        if (skipped := _needs(module, absent)) is not None:
            lines += [f".. note:: {skipped} is not installed here, so this module is not described.", ""]
        else:
            lines += [f".. automodule:: {module}", "   :members:", "   :show-inheritance:"]
            lines += ["   :ignore-module-all:", "", *_exported(module)]
        (folder / f"{module}.rst").write_text("\n".join(lines), encoding="utf-8")
    for room, names in by_room.items():
        lines = [room, "=" * len(room), "", ".. toctree::", "   :maxdepth: 1", ""]
        lines += [f"   {name}" for name in names]
        (folder / f"{room}.rst").write_text("\n".join(lines) + "\n", encoding="utf-8")


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
    pages = []
    for words in [(), *commands()]:
        pages.append(_command_page(folder, words))
    for name in scenarios():
        pages.append(_command_page(folder, ("run", name)))
    lines = ["# Commands and fields", "", "```{toctree}", ":maxdepth: 1", "", *pages, "```", ""]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def _command_page(folder: Path, words: tuple[str, ...]) -> str:
    title, page = " ".join(["ethospike", *words]), "-".join(words) or "ethospike"
    text = f"# {title}\n\n```text\n{help_of(*words)}\n```\n"
    if words[:1] == ("run",) and len(words) > 1:
        text += "\nEvery field is also a key of `config.toml`, such as `recorder.voltages`.\n"
    (folder / f"{page}.md").write_text(text, encoding="utf-8")
    return page


if __name__ == "__main__":
    with redirect_stdout(io.StringIO()):
        write_all(Path(sys.argv[1]))
