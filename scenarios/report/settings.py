"""The configuration in a page, with differences to the defaults, and the commands that make a run again."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from ethospike.errors import EthospikeError
from ethospike.scenarios.flags import flag_name
from ethospike.scenarios.report.page.html import Markup, element, joined
from ethospike.scenarios.run.defaults import CHANGED, defaults_of_changed
from ethospike.scenarios.scenario import Scenario
from ethospike.shown import flat, short, unit_of

UNKNOWN_DEFAULTS = (
    "The defaults of this scenario are not known here, so that no differences to them are marked."
)
SCALARS = (bool, int, float, str)


def changed_defaults(
    info: Mapping[str, Any], scenario: Scenario | None, config: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the defaults of the fields with other values, by path; None if they are not known.

    They are in `run.json` or `sweep.json`; of older runs, they are those of this version's scenario.
    """
    stored = info.get(CHANGED)
    if isinstance(stored, Mapping):
        return dict(stored)
    if scenario is None:
        return None
    from ethospike.scenarios.configuration import configure

    try:
        return defaults_of_changed(scenario, configure(scenario, layers=[("config.toml", config)]))
    except EthospikeError:  # fields of another version
        return None


def configuration(config: Mapping[str, Any], changed: Mapping[str, Any] | None) -> Markup:
    """Return the changed fields as a table, and all fields to be opened, with the file to be saved."""
    if not config:
        return Markup()
    fields = flat(config)
    defaults = changed or {}
    marked = [name for name in dict.fromkeys([*fields, *defaults]) if name in defaults]
    parts: list[Markup] = []
    if changed is None:
        parts.append(element("p", UNKNOWN_DEFAULTS, class_="note"))
    elif marked:
        parts.append(_table({name: fields.get(name) for name in marked}, defaults, only_changed=True))
    else:
        parts.append(element("p", "All fields have their default values."))
    whole = _table(fields, defaults, only_changed=False)
    parts.append(
        element(
            "details", element("summary", f"All {len(fields)} fields, and config.toml"), whole, _file(config)
        )
    )
    return joined(parts)


def _table(fields: Mapping[str, Any], defaults: Mapping[str, Any], *, only_changed: bool) -> Markup:
    rows = []
    for name, value in fields.items():
        is_changed = name in defaults
        cells = [element("th", name, scope="row"), element("td", _shown(value)), element("td", unit_of(name))]
        note = f"default: {_shown(defaults[name])}" if is_changed else ""
        cells.append(element("td", note, class_="dim"))
        rows.append(element("tr", *cells, class_="changed" if is_changed and not only_changed else None))
    heads = [element("th", name, scope="col") for name in ("field", "value", "unit", "default")]
    content = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    return element("div", content, class_="scroll")


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) and value else short(value)


def _file(config: Mapping[str, Any]) -> Markup:
    """Return the configuration as a file that can be saved from the page, and as text."""
    toml = tomli_w.dumps(dict(config))
    address = "data:text/plain;base64," + base64.b64encode(toml.encode()).decode("ascii")
    link = element("p", element("a", "Save config.toml", href=address, download="config.toml"))
    return joined((link, element("pre", element("code", toml))))


def again(info: Mapping[str, Any], config: Mapping[str, Any], changed: Mapping[str, Any] | None) -> Markup:
    """Return the commands that make a run again: by its flags, and by its configuration file."""
    name = str(info.get("scenario_file") or info.get("scenario") or "")
    name = Path(name).name if info.get("scenario_file") else name
    commands = []
    flags = _flags(config, changed)
    if flags is not None:
        commands.append(shlex.join(["ethospike", "run", name, *flags]))
    commands.append(shlex.join(["ethospike", "run", name, "--config", "config.toml"]))
    return element("pre", element("code", "\n".join(commands)))


def _flags(config: Mapping[str, Any], changed: Mapping[str, Any] | None) -> list[str] | None:
    """Return the changed fields as flags; None if one of them cannot be said in a flag."""
    fields, words = flat(config), []
    for name in changed or {}:
        value = fields.get(name)
        if isinstance(value, list) and value and all(isinstance(entry, str) for entry in value):
            for entry in value:
                words += ["--" + flag_name(name), entry]
            continue
        if not isinstance(value, SCALARS) or value == "":
            return None
        if isinstance(value, bool):
            *table, last = name.split(".")
            words.append("--" + ".".join(map(flag_name, [*table, last if value else f"no-{last}"])))
        else:
            words += ["--" + flag_name(name), str(value)]
    return None if changed is None else words
