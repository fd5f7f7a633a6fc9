"""The format of a recording: which arrays it has, and which root attributes say how much of them is true.

In: a `Layout` and a `RecorderConfig`. Out: array descriptions and root attributes; docs/format.md says the
same in prose. This file knows no storage: it imports no zarr.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ethospike.errors import RecordingError
from ethospike.recorders.recorder import Layout, PopulationLayout, Variable
from ethospike.variables import Component, Panel

FORMAT_NAME = "ethospike-recording"
FORMAT_VERSION = (1, 0)
"""Major and minor: a reader refuses a newer major version and reads any minor version of its own."""

STEPS, SPIKES, WEIGHTS, EVENTS = (
    "committed_steps",
    "committed_spikes",
    "committed_weights",
    "committed_events",
)
COMMITTED = (STEPS, SPIKES, WEIGHTS, EVENTS)
"""Root attributes that say how many rows of each kind are true; they change together, atomically."""

LAST_PHASE = "last_phase"
"""Root attribute beside `COMMITTED` of a recording whose weights follow a phase that is not recorded."""

RECORDING = "recording.zarr"
"""A recording in the folder of its run."""

LENGTH = "length_attribute"
"""Attribute of every growing array: which one of `COMMITTED` is its true length."""

INTERRUPTED = "interrupted"
"""Status of a run that ended without closing its recording."""

TARGET_CHUNK_BYTES = 512 * 1024
"""Uncompressed size of a chunk. Measured on 150,000 spikes/s of 25,000 neurons: 256 kB to 1 MB give the same
bytes per spike, 64 kB 4 % more; larger chunks only make reading a single second dearer."""
MAX_CHUNK_STEPS = 65_536
"""Rows at most in a chunk with a row a control step: nearly two hours at 100 ms; the last chunk is kept in
memory and written whole at each commit."""
MAX_CHUNK_SPIKES = 1 << 18

_UNITS = {"ms": "ms", "s": "s", "mm": "mm", "hz": "Hz", "rad": "rad", "pa": "pA", "ns": "nS", "mv": "mV"}
"""What the last word of a name says of the unit of a column that is not described."""
_NAME = re.compile(r"[^/\x00]+")


@dataclass(frozen=True)
class ArraySpec:
    """One array of the recording.

    Parameters
    ----------
    path : str
        Group and name, such as `behavior/reward`.
    dtype : str
        NumPy's name of the element type.
    row_shape : tuple of int
        Shape after the first dimension.
    dims : tuple of str
        Names of all dimensions.
    attributes : mapping
        units, long_name, and `LENGTH` if the array grows.
    fixed : ndarray or None
        The whole content of an array that does not grow.
    """

    path: str
    dtype: str
    row_shape: tuple[int, ...]
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]
    fixed: NDArray[Any] | None = field(default=None, compare=False)

    @property
    def chunk_rows(self) -> int:
        """Rows in one chunk."""
        row_bytes = max(1, int(np.prod(self.row_shape)) * np.dtype(self.dtype).itemsize)
        most = MAX_CHUNK_SPIKES if self.attributes.get(LENGTH) == SPIKES else MAX_CHUNK_STEPS
        return max(1, min(most, TARGET_CHUNK_BYTES // row_bytes))


def array_specs(
    layout: Layout, *, behavior: set[str], spikes: bool, stimulus: bool, weights: bool
) -> list[ArraySpec]:
    """Return every array of a recording but the columns of `events/`, whose types come with the first row."""
    specs = [_time("behavior", STEPS)]
    for name, variable in layout.variables.items():
        if name in behavior:
            specs.append(
                variable_spec(f"behavior/{name}", variable, ("time", "animal"), (layout.animals,), STEPS)
            )
    if layout.populations:
        specs += [_time("spikes", STEPS), *_spike_specs(layout, listed=spikes)]
    if stimulus and (layout.rate_channels or layout.current_channels):
        specs.append(_time("stimulus", STEPS))
        for name, channels, units, what in (
            ("rate_hz", layout.rate_channels, "Hz", "rate of each spike channel"),
            ("current_pa", layout.current_channels, "pA", "amplitude of each current channel"),
        ):
            if channels:
                specs.append(
                    _grown(
                        f"stimulus/{name}",
                        "float32",
                        ("time", "animal", f"{name.split('_')[0]}_channel"),
                        (layout.animals, len(channels)),
                        units,
                        f"{what} during the control step",
                        STEPS,
                        channel_names=list(channels),
                    )
                )
    if weights and layout.weights:
        specs += [_time("weights", WEIGHTS), _control_step("weights", WEIGHTS, "time")]
        for name, (synapses, units) in layout.weights.items():
            specs.append(
                _grown(
                    f"weights/{name}",
                    "float32",
                    ("time", "animal", f"synapse_of_{name}"),
                    (layout.animals, synapses),
                    units,
                    f"weights of {name} after the control step",
                    WEIGHTS,
                )
            )
    if layout.watched:
        specs += _voltage_specs(layout)
    _check(specs)
    return specs


def event_specs(layout: Layout, columns: Mapping[str, NDArray[Any]]) -> list[ArraySpec]:
    """Return the columns of `events/`, described by the layout where it describes them."""
    specs = [_control_step("events", EVENTS, "event"), _time("events", EVENTS, "event")]
    for name, values in columns.items():
        if name in ("control_step", "time"):
            raise RecordingError(
                f"events: a column cannot be called {name!r}; the recorder writes one itself"
            )
        units = _UNITS.get(name.rpartition("_")[2], "1")
        column = layout.events.get(name) or Variable(units, name.replace("_", " "), dtype=values.dtype.name)
        specs.append(variable_spec(f"events/{name}", column, ("event",), (), EVENTS))
    _check(specs)
    return specs


def variable_spec(
    path: str, variable: Variable, dims: tuple[str, ...], shape: tuple[int, ...], length: str
) -> ArraySpec:
    """Return the array of a described variable, after the dimensions that all of its kind share."""
    if len(variable.dims) != len(variable.shape):
        raise RecordingError(
            f"{path}: expected a name for each of the dimensions {variable.shape}, got {variable.dims}"
        )
    if np.dtype(variable.dtype).kind not in "biuf":
        raise RecordingError(f"{path}: expected a numeric type, got {variable.dtype}")
    return _grown(
        path,
        variable.dtype,
        (*dims, *variable.dims),
        (*shape, *variable.shape),
        variable.units,
        variable.long_name,
        length,
        **_described(path, variable),
    )


def _described(path: str, variable: Variable) -> dict[str, Any]:
    """Return the attributes for components and panel: `<dimension>_names`, `<dimension>_units`, `panel`."""
    attributes: dict[str, Any] = {}
    if variable.components:
        if not variable.shape or len(variable.components) != variable.shape[-1]:
            raise RecordingError(
                f"{path}: expected a component for each entry of the last dimension of {variable.shape}, got "
                f"{len(variable.components)}"
            )
        attributes[f"{variable.dims[-1]}_names"] = [c.name for c in variable.components]
        attributes[f"{variable.dims[-1]}_units"] = [c.units for c in variable.components]
    if variable.panel is not None:
        attributes["panel"] = asdict(variable.panel)
    return attributes


def read_variable(
    attributes: Mapping[str, Any], dims: tuple[str, ...], shape: tuple[int, ...], dtype: str
) -> Variable:
    """Return the variable that an array of `variable_spec` describes.

    Parameters
    ----------
    attributes : mapping
        Of the array.
    dims, shape : tuple
        After the dimensions that all arrays of the group share.
    dtype : str
    """
    kind = dims[-1] if dims else ""
    names = attributes.get(f"{kind}_names", ())
    units = attributes.get(f"{kind}_units", ())
    panel = attributes.get("panel")
    known = {f.name for f in fields(Panel)}
    return Variable(
        str(attributes["units"]),
        str(attributes["long_name"]),
        dims,
        shape,
        dtype,
        tuple(Component(*pair) for pair in zip(names, units, strict=True)),
        None if panel is None else Panel(**{name: panel[name] for name in known & panel.keys()}),
    )


def neuron_groups(
    populations: tuple[PopulationLayout, ...],
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Return the groups whose spikes are counted: the clusters, or the population where it has none.

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


def root_attributes(layout: Layout, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the root's attributes of a recording in which nothing is committed yet, in the types of JSON.

    Raises
    ------
    RecordingError
        When the layout holds something that JSON cannot hold.
    """
    described = {
        f.name: getattr(layout, f.name) for f in fields(layout) if f.name not in ("variables", "events")
    }
    described["populations"] = [asdict(p) for p in layout.populations]
    described["weights"] = {name: [int(n), units] for name, (n, units) in layout.weights.items()}
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


def check_version(attributes: Mapping[str, Any], path: object) -> None:
    """Raise `RecordingError` unless this version of ethospike can read the recording."""
    if attributes.get("format") != FORMAT_NAME:
        raise RecordingError(
            f"{path} is not a recording: expected a Zarr group with the attribute format={FORMAT_NAME!r}, "
            f"got {attributes.get('format')!r}"
        )
    version = str(attributes.get("format_version"))
    if not re.fullmatch(r"\d+\.\d+", version):
        raise RecordingError(f"{path}: expected a format_version such as '1.0', got {version!r}")
    if int(version.split(".")[0]) > FORMAT_VERSION[0]:
        raise RecordingError(
            f"{path} has format version {version}, and this ethospike reads versions up to "
            f"{FORMAT_VERSION[0]}.x; update ethospike (pip install --upgrade ethospike)"
        )


def smallest_unsigned(count: int) -> str:
    """Return the smallest unsigned integer type that holds 0 … count − 1."""
    return next(name for name in ("uint8", "uint16", "uint32", "uint64") if count - 1 <= np.iinfo(name).max)


def _spike_specs(layout: Layout, *, listed: bool) -> list[ArraySpec]:
    names, sizes, group_of = neuron_groups(layout.populations)
    counts = _grown(
        "spikes/count",
        "uint32",
        ("time", "animal", "group"),
        (layout.animals, len(names)),
        "1",
        "spikes of each group of neurons in the control step",
        STEPS,
        group_names=names,
        group_sizes=sizes.tolist(),
    )
    if not listed:
        return [counts]
    columns: tuple[tuple[str, DTypeLike, str], ...] = (
        ("step", "int64", "simulation step of the spike, from 1; its time is step times dt_ms"),
        ("animal", smallest_unsigned(layout.animals), "animal that spiked"),
        ("neuron", smallest_unsigned(len(group_of)), "neuron that spiked, counted through the populations"),
    )
    return [
        counts,
        _grown(
            "spikes/interval_end",
            "int64",
            ("time",),
            (),
            "1",
            "listed spikes up to the end of the control step; where the next one's begin",
            STEPS,
        ),
        *(
            _grown(f"spikes/{name}", str(dtype), ("spike",), (), "1", text, SPIKES)
            for name, dtype, text in columns
        ),
    ]


def _voltage_specs(layout: Layout) -> list[ArraySpec]:
    steps, watched = layout.steps_per_control, len(layout.watched)
    back = (np.arange(1, steps + 1) - steps) * layout.dt_ms / 1000.0
    return [
        _time("voltages", STEPS),
        _grown(
            "voltages/V_m",
            "float32",
            ("time", "animal", "offset", "watched"),
            (layout.animals, steps, watched),
            "mV",
            "membrane potential at the end of each simulation step of the control step",
            STEPS,
        ),
        ArraySpec(
            "voltages/offset",
            "float64",
            (),
            ("offset",),
            {"units": "s", "long_name": "time of a simulation step relative to the end of its control step"},
            back,
        ),
        ArraySpec(
            "voltages/neuron",
            "int64",
            (),
            ("watched",),
            {"units": "1", "long_name": "neuron whose voltage it is, counted through the populations"},
            np.array(layout.watched, np.int64),
        ),
    ]


def _time(group: str, length: str, dim: str = "time") -> ArraySpec:
    return _grown(f"{group}/time", "float64", (dim,), (), "s", "end of the control step", length)


def _control_step(group: str, length: str, dim: str) -> ArraySpec:
    return _grown(
        f"{group}/control_step", "int64", (dim,), (), "1", "control step of the row, from 0", length
    )


def _grown(
    path: str,
    dtype: str,
    dims: tuple[str, ...],
    row_shape: tuple[int, ...],
    units: str,
    long_name: str,
    length: str,
    **more: Any,
) -> ArraySpec:
    attributes = {"units": units, "long_name": long_name, LENGTH: length, **more}
    return ArraySpec(path, dtype, row_shape, dims, attributes)


def _check(specs: list[ArraySpec]) -> None:
    """Raise unless names can be stored and each dimension has one length within its group, as xarray asks."""
    lengths: dict[tuple[str, str], tuple[int, str]] = {}
    paths: set[str] = set()
    for spec in specs:
        group, _, name = spec.path.partition("/")
        if spec.path in paths:
            raise RecordingError(
                f"{group}: there is already an array {name!r}, which the recorder writes itself; choose "
                f"another name"
            )
        paths.add(spec.path)
        if name in spec.dims and len(spec.dims) > 1:
            raise RecordingError(
                f"{group}: {name!r} is also the name of a dimension of this array, {spec.dims}; choose "
                f"another name"
            )
        if not _NAME.fullmatch(name) or name.startswith("__") or not name.strip("."):
            raise RecordingError(
                f"{group}: {name!r} cannot be the name of an array; expected a name without '/', not only "
                f"of dots, and not beginning with '__'"
            )
        if len(set(spec.dims)) < len(spec.dims):
            raise RecordingError(f"{spec.path}: expected dimensions with different names, got {spec.dims}")
        for dim, length in zip(
            spec.dims[-len(spec.row_shape) :] if spec.row_shape else (), spec.row_shape, strict=True
        ):
            known, where = lengths.setdefault((group, dim), (length, name))
            if known != length:
                raise RecordingError(
                    f"{group}: the dimension {dim!r} has length {known} in {where!r} and {length} in "
                    f"{name!r}; give one of them another name"
                )
