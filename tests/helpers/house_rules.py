"""The rules of the house as functions over a source tree; each returns the offenders."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("core", "envs", "brains", "agents", "recorders", "scenarios")
FILES_A_FOLDER, LONGEST_FILE, LONGEST_FUNCTION = 12, 600, 60
PARAMETERS, PARAMETERS_OF_A_KERNEL = 8, 12
WORDS_PER_1000 = 1.5
VAGUE = frozenset({"at", "found", "one", "own", "said", "take"})
RIDDLES = re.compile(r"\b(what|who|whose)\b", re.IGNORECASE)
Function = ast.FunctionDef | ast.AsyncFunctionDef
LAYERS: dict[str, tuple[str, ...]] = {
    "brains": (
        "compiling memory network threads",
        "held turns",
        "circuits simulator",
        "spike_trains",
        "conformance genn nest numba",
    ),
    "brains.numba": (
        "blocks memory muting engine input_checks placement roles team",
        "cells",
        "bits lists rows",
        "choice",
        "simulator",
    ),
    "envs": (
        "kernels",
        "checks contract draw scene window",
        "any_env cue_bandit idle task_env",
        "delayed_reach odor_arena",
    ),
    "agents": ("agent codes", "coded functions larva random_policy reacher resting", "reward"),
    "recorders": (
        "disk labels memory recorder subject",
        "format lock",
        "arrays config",
        "recording zarr_recorder",
        "recover view",
    ),
    "scenarios": (
        "terminal",
        "flags loop scenario",
        "configuration registry",
        "arms",
        "run",
        "analysis",
        "odor reach rest reward sweeps",
        "experiments",
        "bench interop report validation",
        "command",
        "__main__",
    ),
    "scenarios.validation": ("arm_proofs cells parts", "arms larva networks reach", "connectomes"),
}
"""Files and folders of rooms and folders, from the bottom to the top: each imports lower ones only."""


def files(root: Path) -> list[Path]:
    """Return the Python files of all rooms."""
    return sorted(path for room in ROOMS for path in (root / room).rglob("*.py"))


def module_of(root: Path, path: Path) -> str:
    """Return the name under which a file is imported."""
    parts = path.relative_to(root).with_suffix("").parts
    parts = parts[1:] if parts[0] == "core" else parts
    return ".".join(["ethospike", *(part for part in parts if part != "__init__")])


def arrows(root: Path) -> dict[str, set[str]]:
    """Return the files that each file imports, lazily and for types included, by module names."""
    modules = {module_of(root, path): path for path in files(root)}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    named.add(inner if inner in modules else node.module)
        graph[name] = {module for module in named if module in modules and module != name}
    return graph


def circles(root: Path) -> list[str]:
    """Return groups of files that import each other (Tarjan's strongly connected components)."""
    graph, index, low = arrows(root), {}, {}  # type: ignore[var-annotated]
    stack: list[str] = []
    found: list[str] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            place = stack.index(name)
            if len(group := stack[place:]) > 1:
                found.append(" ↔ ".join(sorted(group)))
            del stack[place:]

    for name in graph:
        if name not in index:
            visit(name)
    return found


def upward_arrows(root: Path) -> list[str]:
    """Return imports within a folder that do not lead to a lower layer, and parts without a layer."""
    graph, offenders = arrows(root), []
    for folder, layers in LAYERS.items():
        floors = {part: floor for floor, parts in enumerate(layers) for part in parts.split()}
        for name, targets in graph.items():
            part = part_of(name, folder)
            if part and part not in floors:
                offenders.append(f"{name} has no layer")
            elif part:
                others = {target: part_of(target, folder) for target in targets}
                offenders += [
                    f"{name} imports {target}"
                    for target, other in others.items()
                    if other not in ("", part) and floors.get(other, len(floors)) >= floors[part]
                ]
    return offenders


def part_of(module: str, folder: str) -> str:
    """Return the file or folder inside a folder to which a module belongs, or nothing."""
    prefix = f"ethospike.{folder}."
    return module.removeprefix(prefix).split(".")[0] if module.startswith(prefix) else ""


def busy_doors(root: Path) -> list[str]:
    """Return the `__init__.py` that define functions or classes: doors hand on names and register."""
    return [
        f"{path.relative_to(root)}: {node.name}"
        for path in files(root)
        if path.name == "__init__.py"
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, (ast.ClassDef, *Function.__args__))  # type: ignore[attr-defined]
    ]


def crowded_folders(root: Path) -> list[str]:
    """Return the folders with more than 12 files, doors not counted."""
    counts: dict[Path, int] = {}
    for path in files(root):
        counts[path.parent] = counts.get(path.parent, 0) + (path.name != "__init__.py")
    return [f"{folder.relative_to(root)}: {n} files" for folder, n in counts.items() if n > FILES_A_FOLDER]


def long_files(root: Path) -> list[str]:
    """Return the files above 600 lines, and the measures of all files that are too large."""
    lines = {path: path.read_text("utf-8").count("\n") for path in files(root) if path.name != "__init__.py"}
    found = [f"{path.relative_to(root)}: {n} lines" for path, n in lines.items() if n > LONGEST_FILE]
    if (median := statistics.median(lines.values())) > 200:
        found.append(f"median file: {median:.0f} lines")
    if (share := sum(n <= 400 for n in lines.values()) / len(lines)) < 0.9:
        found.append(f"files up to 400 lines: {share:.0%}")
    return found


def functions(root: Path) -> Iterator[tuple[str, Function]]:
    """Yield each function with its place."""
    for path in files(root):
        if path.name == "__init__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, Function):
                yield f"{path.relative_to(root)}:{node.lineno} {node.name}", node


def long_functions(root: Path) -> list[str]:
    """Return the functions above 60 lines."""
    lengths = {place: (node.end_lineno or 0) - node.lineno + 1 for place, node in functions(root)}
    return [f"{place}: {n} lines" for place, n in lengths.items() if n > LONGEST_FUNCTION]


def crowded_functions(root: Path) -> list[str]:
    """Return the functions with more than 8 parameters, compiled kernels with more than 12."""
    found = []
    for place, node in functions(root):
        given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        n = len([name for name in given if name not in ("self", "cls")])
        decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        compiled = any(word in decorators for word in ("jit", "compiled", "inlined", "kernel"))
        if node.name != "__init__" and n > (PARAMETERS_OF_A_KERNEL if compiled else PARAMETERS):
            found.append(f"{place}: {n} parameters")
    return found


def docstrings(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the docstrings of modules, classes and functions with their places."""
    for path in files(root):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, *Function.__args__)) and (  # type: ignore[attr-defined]
                text := ast.get_docstring(node)
            ):
                yield f"{path.relative_to(root)}:{getattr(node, 'lineno', 1)}", text


def riddles(root: Path) -> list[str]:
    """Return docstrings that begin with what, who or whose, and the share of these words if too high."""
    texts = list(docstrings(root))
    found = [f"{place}: {text.split(chr(10))[0]}" for place, text in texts if RIDDLES.match(text)]
    words = sum(len(text.split()) for _, text in texts)
    share = 1000 * sum(len(RIDDLES.findall(text)) for _, text in texts) / max(1, words)
    return [*found, f"{share:.1f} of 1,000 words"] if share > WORDS_PER_1000 else found


def vague_names(root: Path) -> list[str]:
    """Return the names of variables, parameters, functions and fields that do not say what they are."""
    offenders = []
    for path in files(root):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                name = node.id if isinstance(node, ast.Name) else node.attr
            elif isinstance(node, ast.arg):
                name = node.arg
            elif isinstance(node, Function):
                name = node.name
            else:
                continue
            if name in VAGUE:
                offenders.append(f"{path.relative_to(root)}:{node.lineno}: {name}")
    return offenders


def unnamed_encodings(root: Path) -> list[str]:
    """Return the calls that read or write text in the encoding of the system."""
    found = []
    for path in files(root):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _depends_on_locale(node):
                found.append(f"{path.relative_to(root)}:{node.lineno} {ast.unparse(node)}")
    return found


def _depends_on_locale(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in ("read_text", "write_text"):
        return "encoding" not in keywords and len(call.args) <= (name == "write_text")
    if name in ("genfromtxt", "loadtxt"):
        return "encoding" not in keywords
    if name in ("run", "Popen", "check_output"):
        return "True" in (keywords.get("text"), keywords.get("universal_newlines"))
    is_method = isinstance(call.func, ast.Attribute)
    if name != "open" or (is_method and ast.unparse(call.func.value) in ("os", "av", "zarr")):
        return False
    modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    mode = keywords.get("mode", next((m for m in modes if isinstance(m, str)), ""))
    # Methods called `open` are many; those of paths have a mode as the first argument, or none at all.
    is_text = "b" not in mode and (not is_method or set(mode) & set("rwax") != set())
    return bool(is_text and "encoding" not in keywords and len(call.args) < (3 if is_method else 4))
