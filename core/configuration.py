"""Configuration dataclasses from nested mappings, such as the tables of a TOML file.

Keys are the names of fields, values are checked against the annotations, and a table that leaves fields out
keeps the values of the default. Nothing is rounded, and no unknown key is ignored.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from ethospike.errors import EthospikeError, ScenarioError, nearest
from ethospike.paths import expanded

T = TypeVar("T")
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def from_mapping(kind: type[T], values: Mapping[str, Any], *, base: T | None = None, source: str = "") -> T:
    """Return a configuration dataclass with the values of a nested mapping.

    Parameters
    ----------
    kind : type
        A dataclass.
    values : nested mapping
        Values by field; a dataclass in the place of a table is taken as it is.
    base : dataclass, optional
        The values of fields that the mapping leaves out; by default those of `kind`.
    source : str
        The origin of the values, for error messages.

    Raises
    ------
    ScenarioError
        For an unknown key, which is named with the nearest field, a value of another type, or a missing field
        without default; and any error that the dataclass raises for its values.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Walk:
    ...     speed_mm_s: float = 1.0
    ...     legs: int = 6
    >>> from_mapping(Walk, {"speed_mm_s": 2})
    Walk(speed_mm_s=2.0, legs=6)
    """
    return build(kind, checked(kind, values, source=source), base)


def configured(
    kind: type[T], given: T | Mapping[str, Any] | None, error: type[EthospikeError], default: T | None = None
) -> T:
    """Return a configuration that was given as such, as a mapping of its fields, or not at all.

    Mappings come from JSON, as of a Gymnasium `EnvSpec`.

    Parameters
    ----------
    kind : type
        A dataclass.
    given : dataclass, nested mapping or None
    error : type
        The class of the error for anything else.
    default : dataclass, optional
        Instead of None; by default `kind()`.

    Raises
    ------
    EthospikeError
        Of the class `error`, when the given value is none of these, or a field does not fit.
    """
    if isinstance(given, kind):
        return given
    if given is None:
        return kind() if default is None else default
    if not isinstance(given, Mapping):
        raise error(
            f"expected {kind.__name__} or a mapping of its fields, got {type(given).__name__} ({given!r})"
        )
    try:
        return from_mapping(kind, given, source=kind.__name__)
    except ScenarioError as problem:
        raise error(str(problem)) from None


def checked(
    kind: type,
    values: Mapping[str, Any],
    *,
    source: str = "",
    prefix: str = "",
    text: bool = False,
    spell: Callable[[str], str] = str,
) -> dict[str, Any]:
    """Return the values of a nested mapping, converted to the types of the fields; tables stay mappings.

    `text` reads numbers and truth values from text, as the words of a command are. `prefix` is the path of
    the table, and `spell` turns a path into the name that messages use.

    Raises
    ------
    ScenarioError
        For an unknown key or a value of another type; the message begins with `source`.
    """
    hints = field_types(kind)
    begin = f"{source}: " if source else ""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise ScenarioError(f"{begin}unknown key {spell(prefix + key)!r}; {nearest(key, hints)}")
        table = table_of(hints[key])
        if table is not None and isinstance(value, Mapping):
            result[key] = checked(
                table, value, source=source, prefix=f"{prefix}{key}.", text=text, spell=spell
            )
            continue
        try:
            result[key] = converted(value, hints[key], text=text)
        except ScenarioError as error:
            raise ScenarioError(f"{begin}{spell(prefix + key)}: {error}") from error
    return result


def merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings as one, in which the values of `high` win."""
    result = dict(low)
    for key, value in high.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def build(kind: type[T], values: Mapping[str, Any], base: T | None = None) -> T:
    """Return a dataclass from values that were checked; fields that are left out have those of `base`.

    Raises
    ------
    ScenarioError
        When a field without default is left out.
    """
    fields = [field for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type]
    hints, filled = field_types(kind), {}
    for field in fields:
        given = values.get(field.name, dataclasses.MISSING)
        present = default_of(field) if base is None else getattr(base, field.name)
        if given is dataclasses.MISSING:
            if present is dataclasses.MISSING:
                raise ScenarioError(f"{kind.__name__}.{field.name}: expected a value; it has no default")
            if base is not None:
                filled[field.name] = present
            continue
        table = table_of(hints[field.name])
        if table is not None and isinstance(given, Mapping):
            given = build(table, given, present if isinstance(present, table) else None)
        filled[field.name] = given
    return kind(**filled)


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Return the default of a field; `dataclasses.MISSING` where it has none."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def field_types(kind: type) -> dict[str, Any]:
    """Return the annotation of each field of a dataclass that `__init__` accepts, resolved."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def table_of(hint: Any) -> type | None:
    """Return the dataclass that an annotation names, alone or in a union; None where it names none."""
    for option in options_of(hint):
        if isinstance(option, type) and dataclasses.is_dataclass(option):
            return option
    return None


def options_of(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the annotation itself."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def converted(value: Any, hint: Any, *, text: bool = False) -> Any:
    """Return a value as the type of an annotation.

    Raises
    ------
    ScenarioError
        When it is none of that type; the message says what was expected.
    """
    options = options_of(hint)
    if value is None and type(None) in options:
        return None
    if text and type(None) in options and value == "none":
        return None
    errors = []
    for option in options:
        if option is not type(None):
            try:
                return _converted(value, option, text)
            except ScenarioError as error:
                errors.append(error)
    raise errors[0] if errors else ScenarioError(f"expected nothing, got {value!r}")


def _converted(value: Any, hint: Any, text: bool) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in arguments:
            names = ", ".join(map(str, arguments))
            raise ScenarioError(f"expected one of {names}, got {value!r}")
        return value
    if origin is typing.Annotated:
        return converted(value, arguments[0], text=text)
    if origin in (tuple, list, Sequence) or hint in (tuple, list):
        return _sequence(value, origin or hint, arguments, text)
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ScenarioError(f"expected a table, got {value!r}")
        kind = arguments[1] if arguments else Any
        return {str(key): converted(entry, kind, text=text) for key, entry in value.items()}
    return _scalar(value, hint, text)


def _sequence(value: Any, origin: Any, arguments: tuple[Any, ...], text: bool) -> Any:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise ScenarioError(f"expected a list, got {value!r}")
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            raise ScenarioError(f"expected {len(arguments)} values, got {len(value)}")
        return tuple(converted(v, kind, text=text) for v, kind in zip(value, arguments, strict=True))
    kind = arguments[0] if arguments else Any
    table = table_of(kind)
    entries = [
        from_mapping(table, entry)
        if table is not None and isinstance(entry, Mapping)
        else converted(entry, kind, text=text)
        for entry in value
    ]
    return entries if origin is list else tuple(entries)


def _scalar(value: Any, hint: Any, text: bool) -> Any:
    if hint is bool:
        if text and isinstance(value, str) and value.lower() in TRUTH:
            return TRUTH[value.lower()]
        if not isinstance(value, bool):
            raise ScenarioError(f"expected true or false, got {value!r}")
        return value
    if hint in (int, float):
        return _number(value, hint, text)
    if hint is Path:
        if not isinstance(value, (str, Path)):
            raise ScenarioError(f"expected a path, got {value!r}")
        return expanded(value)
    if hint is not Any and isinstance(hint, type) and not isinstance(value, hint):
        kind = "text" if hint is str else f"a table of {hint.__name__}" if table_of(hint) else hint.__name__
        raise ScenarioError(f"expected {kind}, got {value!r}")
    return value


def _number(value: Any, kind: type, text: bool) -> Any:
    if text and isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                raise ScenarioError(f"expected a number, got {value!r}") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ScenarioError(f"expected a number, got {value!r}")
    if kind is float:
        return float(value)
    if isinstance(value, float) and not value.is_integer():
        raise ScenarioError(f"expected a whole number, got {value:g}")
    return int(value)
