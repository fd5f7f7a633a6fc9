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
RIDDLES = re.compile(r"\b(what|who|whose)\b", re.IGNORECASE)
Function = ast.FunctionDef | ast.AsyncFunctionDef
LAYERS: dict[str, tuple[str, ...]] = {
    "brains": (
        "compiling memory network threads",
        "circuits simulator spike_trains",
        "conformance genn nest numba",
    ),
    "envs": (
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
        "flags loop scenario",
        "configuration registry",
        "run",
        "analysis",
        "odor reach rest reward sweeps",
        "bench interop report validation",
        "command",
        "__main__",
    ),
}
"""Files and folders of each room, from the bottom to the top: each imports lower ones only."""


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
    """Return imports within a room that do not lead to a lower layer, and parts without a layer."""
    found = []
    for name, targets in arrows(root).items():
        _, room, *inner = [*name.split("."), ""]
        if room not in LAYERS or not inner[0]:
            continue
        floors = {part: floor for floor, parts in enumerate(LAYERS[room]) for part in parts.split()}
        if inner[0] not in floors:
            found.append(f"{name} has no layer")
            continue
        for target in targets:
            other = target.split(".")
            if other[1] != room or len(other) < 3 or other[2] == inner[0]:
                continue
            if floors.get(other[2], len(floors)) >= floors[inner[0]]:
                found.append(f"{name} imports {target}")
    return found


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
        compiled = any(word in decorators for word in ("jit", "compiled", "inlined"))
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
