"""The parts of a world that stay: kept in a recording as plain types, and made again from them."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import Any

from ethospike.errors import EnvError

SCENES: dict[str, tuple[str, str]] = {
    "odor_arena": ("ethospike.envs.odor_arena.scene", "ArenaScene"),
    "delayed_reach": ("ethospike.envs.delayed_reach.scene", "ReachScene"),
}
"""Kind, module and class of each scene; the module is loaded on demand."""


def scene_of(plain: Mapping[str, Any]) -> Any:
    """Make the scene that a recording holds.

    Raises
    ------
    EnvError
        When it holds none, or one that this version does not know.
    """
    kind = plain.get("kind")
    if kind not in SCENES:
        raise EnvError(
            f"scene: expected one of {', '.join(SCENES)}, got {kind!r}; the environment of this recording "
            f"does not say what its world looks like"
        )
    module, cls = SCENES[kind]
    return getattr(importlib.import_module(module), cls).of(plain)


def plain_form(kind: str, config: Any) -> dict[str, Any]:
    """Return a scene's kind and configuration in the plain types of JSON."""
    # Through JSON, so that what is handed on is what a reader gets back.
    described: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return {"kind": kind, "config": described}
