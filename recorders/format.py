"""The format of a recording: its version, its root attributes, and the layout that they hold.

docs/format.md says the same in prose. Nothing here depends on a storage library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import RecordingError
from ethospike.recorders.recorder import Layout, PopulationLayout, Variable

FORMAT_NAME = "ethospike-recording"
FORMAT_VERSION = (2, 0)
"""Major and minor: a reader refuses a newer major version and reads all others."""

STEPS, SPIKES, WEIGHTS, INTERVALS = (
    "committed_steps",
    "committed_spikes",
    "committed_weights",
    "committed_intervals",
)
OWN_ARRAYS = ("variables", "labels")
"""Fields of a layout that are arrays of the recording: each commit writes the root attributes anew."""
COMMITTED = (STEPS, SPIKES, WEIGHTS, INTERVALS)
"""Root attributes with the number of true rows of each kind; they change together, atomically."""
EVENTS_1 = "committed_events"
"""Counter of the rows of `events`, which format 1 had in place of `intervals`."""

LENGTH = "length_attribute"
"""Attribute of every growing array: the entry of `COMMITTED` that is its true length."""

RECORDING = "recording.zarr"
"""A recording in the folder of its run."""

INTERRUPTED = "interrupted"
"""Status of a run that ended without closing its recording."""

PHASE, TRIAL, EPISODE = "phase", "trial", "episode"
ARM_PREFIX = "arm_"
"""Begins the names of the variables that control arms record."""
"""Kinds of intervals that readers know by name. `phase` is also the variable that phases are made from."""
INTERVAL_COLUMNS = ("animal", "start_step", "stop_step")
"""Columns that every interval has, beside its kind."""


def root_attributes(layout: Layout, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the root's attributes of a recording in which nothing is committed yet, in the types of JSON.

    Raises
    ------
    RecordingError
        When the layout holds something that JSON cannot hold.
    """
    described = {f.name: getattr(layout, f.name) for f in fields(layout) if f.name not in OWN_ARRAYS}
    described["populations"] = [asdict(p) for p in layout.populations]
    described["weights"] = {name: [int(n), units] for name, (n, units) in layout.weights.items()}
    described["intervals"] = {kind: list(columns) for kind, columns in layout.intervals.items()}
    try:
        # Through JSON and back: a layout that was read equals the one that was written, tuples or lists.
        plain = json.loads(json.dumps(described, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RecordingError(
            f"layout: expected the plain types of JSON and finite numbers: {error}"
        ) from error
    return {
        "format": FORMAT_NAME,
        "format_version": ".".join(map(str, FORMAT_VERSION)),
        "status": "running",
        "layout": plain,
        "recorded": dict(recorded),
        **dict.fromkeys(COMMITTED, 0),
    }


def read_layout(
    plain: Mapping[str, Any],
    variables: Mapping[str, Variable],
    columns: Mapping[str, Variable],
    labels: Mapping[str, tuple[str, ...]],
) -> Layout:
    """Return the layout that root attributes describe.

    Parameters
    ----------
    plain : mapping
        The root attribute `layout`.
    variables, columns : mapping of str to Variable
        The recorded arrays of `behavior` and of `intervals`, from their own attributes.
    labels : mapping of str to tuple of str
        From the arrays of `neurons`.
    """
    known = _known(Layout, plain)
    sequences = ("rate_channels", "current_channels", "phases", "watched")
    return Layout(
        **{
            **known,
            **{name: tuple(known[name]) for name in sequences},
            "populations": tuple(_population(entries) for entries in plain["populations"]),
            "weights": {name: (n, units) for name, (n, units) in plain["weights"].items()},
            "variables": variables,
            "labels": labels,
            "intervals": {
                kind: {name: columns[name] for name in names if name in columns}
                for kind, names in plain.get("intervals", {}).items()
            },
        }
    )


def _population(entries: Mapping[str, Any]) -> PopulationLayout:
    return PopulationLayout(**_known(PopulationLayout, entries))


def _known(kind: type[Layout | PopulationLayout], entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that this version knows; a newer minor version may have added others."""
    return {field.name: entries[field.name] for field in fields(kind) if field.name in entries}


def check_version(attributes: Mapping[str, Any], path: object) -> None:
    """Raise `RecordingError` unless this version of ethospike can read the recording."""
    if attributes.get("format") != FORMAT_NAME:
        raise RecordingError(
            f"{path} is not a recording: expected a Zarr group with the attribute format={FORMAT_NAME!r}, "
            f"got {attributes.get('format')!r}"
        )
    version = str(attributes.get("format_version"))
    if not re.fullmatch(r"\d+\.\d+", version):
        raise RecordingError(f"{path}: expected a format_version such as '2.0', got {version!r}")
    if int(version.split(".")[0]) > FORMAT_VERSION[0]:
        raise RecordingError(
            f"{path} has format version {version}, and this ethospike reads versions up to "
            f"{FORMAT_VERSION[0]}.x; update ethospike (pip install --upgrade ethospike)"
        )


def major_version(attributes: Mapping[str, Any]) -> int:
    """Return the major version of a recording that `check_version` accepts."""
    return int(str(attributes["format_version"]).split(".")[0])


def neuron_groups(
    populations: tuple[PopulationLayout, ...],
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Return the groups in which spikes are counted: the clusters, or the population where it has none.

    Returns
    -------
    names : list of str
        `KC`, or `E[0]`, `E[1]`, … for clusters.
    sizes : ndarray of int64, shape (groups,)
        Neurons in each.
    group_of : ndarray of int64, shape (neurons,)
        Group of each neuron of an animal.
    """
    names: list[str] = []
    sizes: list[int] = []
    group_of = np.zeros(max((p.start + p.size for p in populations), default=0), np.int64)
    for population in populations:
        size = population.size // population.clusters
        for cluster in range(population.clusters):
            start = population.start + cluster * size
            group_of[start : start + size] = len(names)
            names.append(population.name if population.clusters == 1 else f"{population.name}[{cluster}]")
            sizes.append(size)
    return names, np.array(sizes, np.int64), group_of
