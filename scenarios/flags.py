"""The flags of a configuration dataclass: conversion to nested mappings, and help.

Each field is a flag, `--larva.gain 100`, in lower case with hyphens. A truth value is `--recorder.stimulus`
or `--recorder.no-stimulus`. The flag of a field with several values is repeated; `--recorder.empty-voltages`
empties it.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
import threading
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ethospike.configuration import default_of, field_types, options_of, table_of
from ethospike.errors import ScenarioError, nearest
from ethospike.scenarios.terminal import console

_PARSING = threading.Lock()
"""Python 3.11 cannot parse in two threads at once ("AST constructor recursion depth mismatch"), and tasks of
a batch configure themselves side by side."""


@dataclasses.dataclass(frozen=True)
class Flag:
    """One flag of a configuration.

    Parameters
    ----------
    path : tuple of str
        The names of the fields from the configuration to the value.
    hint : type
        The annotation of the field.
    default : object
    about : str
        The sentence under the field.
    """

    path: tuple[str, ...]
    hint: Any
    default: Any
    about: str

    @property
    def name(self) -> str:
        """The flag as typed on the command line."""
        return "--" + flag_name(".".join(self.path))

    @property
    def is_truth_value(self) -> bool:
        """True for a flag without a value."""
        return bool in options_of(self.hint)

    @property
    def is_list(self) -> bool:
        """True for a flag that may be repeated."""
        return any(typing.get_origin(o) in (tuple, list) for o in options_of(self.hint))

    @property
    def n_values(self) -> int:
        """The number of words after the flag: the length of a tuple of fixed length, else 1."""
        for option in options_of(self.hint):
            arguments = typing.get_args(option)
            if typing.get_origin(option) is tuple and arguments[-1] is not Ellipsis:
                return len(arguments)
        return 1

    def variants(self) -> dict[str, Any]:
        """Return the further flags of the field, each with its value."""
        *table, name = self.path
        begin = "--" + "".join(f"{flag_name(part)}." for part in table)
        if self.is_truth_value:
            return {f"{begin}no-{flag_name(name)}": False}
        return {f"{begin}empty-{flag_name(name)}": []} if self.is_list and self.n_values == 1 else {}


def flag_name(path: str) -> str:
    """Return the path of a field, such as `cortex.I_th_E`, as a flag without its hyphens: `cortex.i-th-e`."""
    return path.lower().replace("_", "-")


def flags_of(kind: type, default: Any = None, path: tuple[str, ...] = ()) -> Iterator[Flag]:
    """Yield the flags of a configuration dataclass and of the dataclasses in it."""
    hints, about = field_types(kind), sentences(kind)
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        value = default_of(field) if default is None else getattr(default, field.name)
        table = table_of(hints[field.name])
        if table is not None:
            yield from flags_of(table, value if isinstance(value, table) else None, (*path, field.name))
        else:
            yield Flag((*path, field.name), hints[field.name], value, about.get(field.name, ""))


def sentences(kind: type) -> dict[str, str]:
    """Return the text under each field of a dataclass, inherited fields included."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            with _PARSING:
                (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except (OSError, TypeError, SyntaxError):  # made in an interactive session: no source
            continue
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                    texts[field.target.id] = " ".join(str(text.value.value).split())
                else:
                    texts.pop(field.target.id, None)
        texts |= {k: v for k, v in _parameters(base).items() if k not in texts}
    return texts


def _parameters(kind: type) -> dict[str, str]:
    """Return the text of each entry under "Parameters" in the docstring of a class."""
    _, _, section = inspect.cleandoc(kind.__doc__ or "").partition("Parameters\n----------\n")
    about: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line and not line.startswith(" "):
            name, colon, _ = line.partition(" : ")
            if not colon:
                break  # the next section
        elif name:
            about[name] = f"{about.get(name, '')} {line.strip()}".strip()
    return about


def parse(words: Sequence[str], flags: Sequence[Flag]) -> dict[str, Any]:
    """Parse the words of a command into nested mappings of text, truth values or lists of text.

    Raises
    ------
    ScenarioError
        For an unknown flag (the message names the nearest flag) or a flag without its value.
    """
    by_name = {flag.name: (flag, None) for flag in flags}
    by_name |= {name: (flag, value) for flag in flags for name, value in flag.variants().items()}
    tables = {flag.name + ".": flag for flag in flags if _is_mapping(flag.hint)}
    result: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, inline = word.partition("=")
        name = flag_name(name)
        entry = next((flag for begin, flag in tables.items() if name.startswith(begin)), None)
        if entry is not None:
            key = word.partition("=")[0][len(entry.name) + 1 :]
            _put(result, (*entry.path, key), _values(word, 1, inline if equals else None, rest)[0])
            continue
        if not word.startswith("--"):
            raise ScenarioError(f"expected a flag such as {flags[0].name}, got {word!r}")
        if name not in by_name:
            raise ScenarioError(f"unknown flag {name}; {nearest(name, by_name)}")
        flag, value = by_name[name]
        if value is not None:
            _put(result, flag.path, value)
        elif flag.is_truth_value:
            _put(result, flag.path, inline if equals else True)
        else:
            values = _values(name, flag.n_values, inline if equals else None, rest)
            _put(result, flag.path, values if flag.is_list else values[0], append=flag.n_values == 1)
    return result


def _values(name: str, count: int, inline: str | None, rest: list[str]) -> list[str]:
    values = [inline] if inline is not None else []
    while len(values) < count:
        if not rest or (rest[0].startswith("--") and rest[0] != "--"):
            needed = "a value" if count == 1 else f"{count} values"
            raise ScenarioError(f"{name}: expected {needed} after it, got {len(values) or 'none'}")
        values.append(rest.pop(0))
    return values


def _put(result: dict[str, Any], path: Sequence[str], value: Any, *, append: bool = False) -> None:
    *tables, name = path
    for table in tables:
        result = result.setdefault(table, {})
    before = result.get(name)
    result[name] = [*before, *value] if append and isinstance(before, list) else value


def _is_mapping(hint: Any) -> bool:
    return any(typing.get_origin(o) in (dict, Mapping) or o is dict for o in options_of(hint))


def print_help(usage: str, about: str, flags: Sequence[Flag], notes: Sequence[str] = ()) -> None:
    """Print the flags of a configuration on stdout."""
    out = console()
    out.print(Text(f"Usage: {usage} [FLAGS]\n\n{about}\n"))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=False, ratio=2, style="cyan")
    table.add_column(ratio=5)
    for flag in flags:
        kind = "" if flag.is_truth_value else f" {type_name(flag.hint)}"
        names = " ".join([flag.name, *(name for name in flag.variants() if flag.is_truth_value)])
        default = "" if flag.default is None else f"default: {flag.default}"
        if flag.default is dataclasses.MISSING:
            default = "required"
        table.add_row(Text(names + kind), Text(f"{flag.about}{' ' if flag.about else ''}[{default}]"))
    out.print(Panel(table, title="Flags", title_align="left"))
    for note in notes:
        out.print(Text(note))


def type_name(hint: Any) -> str:
    """Return the short name of an annotation for the help: `FLOAT`, `paired-a|paired-b`."""
    options = [option for option in options_of(hint) if option is not types.NoneType]
    if typing.get_origin(options[0]) is typing.Literal:
        return "|".join(map(str, typing.get_args(options[0])))
    arguments = [a for a in typing.get_args(options[0]) if a is not Ellipsis]
    if typing.get_origin(options[0]) in (tuple, list):
        dots = "…" if len(arguments) == 1 else ""
        return " ".join(type_name(argument) for argument in arguments) + dots
    return getattr(options[0], "__name__", str(options[0])).upper()
