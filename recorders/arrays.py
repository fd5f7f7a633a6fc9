"""The arrays of a recording: path, type, shape, dimensions and attributes of each, from a layout.

docs/format.md says the same in prose. Nothing here depends on a storage library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ethospike.errors import RecordingError
from ethospike.recorders.format import (
    INTERVAL_COLUMNS,
    INTERVALS,
    LENGTH,
    PHASE,
    SPIKES,
    STEPS,
    WEIGHTS,
    neuron_groups,
)
from ethospike.recorders.recorder import Layout, Variable
from ethospike.variables import Component, Panel

TARGET_CHUNK_BYTES = 512 * 1024
"""Uncompressed size of a chunk. Measured on 150,000 spikes/s of 25,000 neurons: 256 kB to 1 MB give the same
bytes per spike, 64 kB 4 % more; larger chunks only make reading a single second dearer."""
MAX_CHUNK_STEPS = 65_536
"""Rows at most in a chunk with a row a control step: nearly two hours at 100 ms; the last chunk is kept in
memory and written whole at each commit."""
MAX_CHUNK_SPIKES = 1 << 18

NEST_UNITS = {"V_": "mV", "E_": "mV", "g_": "nS", "I_": "pA", "C_": "pF", "tau_": "ms"}
"""Units by which NEST's numbers go, by the beginning of their names; others are recorded as numbers."""

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
    """Return every array of a recording."""
    specs = [_time("behavior", STEPS)]
    for name, variable in layout.variables.items():
        if name in behavior:
            specs.append(
                variable_spec(f"behavior/{name}", variable, ("time", "animal"), (layout.animals,), STEPS)
            )
    if layout.populations:
        specs += [_time("spikes", STEPS), *_spike_specs(layout, listed=spikes)]
    if stimulus:
        specs += _stimulus_specs(layout)
    if weights:
        specs += _weight_specs(layout)
    if layout.watched:
        specs += _voltage_specs(layout)
    if layout.intervals:
        specs += _interval_specs(layout)
    specs += _label_specs(layout)
    _check(specs)
    return specs


def _label_specs(layout: Layout) -> list[ArraySpec]:
    """Return an array for each kind of label: numbers of its categories, −1 where a neuron has none."""
    size = max((p.start + p.size for p in layout.populations), default=0)
    specs = []
    for kind, values in layout.labels.items():
        if len(values) != size:
            raise RecordingError(f"labels: expected {size} of the kind {kind!r}, got {len(values)}")
        categories = sorted({value for value in values if value})
        number = {value: index for index, value in enumerate(categories)}
        fixed = np.array([number.get(value, -1) for value in values], dtype=np.int32)
        attributes = {
            "units": "1",
            "long_name": f"{kind} of each neuron: number of an entry of categories, -1 for none",
            "categories": categories,
        }
        specs.append(ArraySpec(f"neurons/{kind}", "int32", (), ("neuron",), attributes, fixed))
    return specs


def interval_columns(layout: Layout) -> dict[str, Variable]:
    """Return the columns of the table of intervals that the kinds of a layout bring.

    Raises
    ------
    RecordingError
        When two kinds describe a column differently, or a column cannot be stored.
    """
    columns: dict[str, Variable] = {}
    for kind, described in layout.intervals.items():
        if kind == PHASE:
            raise RecordingError(
                f"intervals: the kind {PHASE!r} is made from the variable {PHASE!r}; choose another name"
            )
        for name, column in described.items():
            if name in ("control_step", "time", "kind", *INTERVAL_COLUMNS):
                raise RecordingError(
                    f"intervals: a column cannot be called {name!r}; the recorder writes one itself"
                )
            if column.dims or np.dtype(column.dtype).kind not in "if":
                raise RecordingError(
                    f"intervals: expected the column {name!r} to hold a float or a signed integer for each "
                    f"interval, got {column.dtype} with the dimensions {column.dims}"
                )
            if columns.setdefault(name, column) != column:
                raise RecordingError(f"intervals: the column {name!r} is described twice and differently")
    return columns


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
    """Return the attributes of an array for its components, its panel and its categories."""
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
    if variable.categories:
        attributes["categories"] = list(variable.categories)
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
    last = dims[-1] if dims else ""
    names, units = attributes.get(f"{last}_names", ()), attributes.get(f"{last}_units", ())
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
        tuple(attributes.get("categories", ())),
    )


def smallest_unsigned(count: int) -> str:
    """Return the smallest unsigned integer type that holds 0 … count − 1."""
    return next(name for name in ("uint8", "uint16", "uint32", "uint64") if count - 1 <= np.iinfo(name).max)


def _stimulus_specs(layout: Layout) -> list[ArraySpec]:
    kinds = (
        ("rate_hz", layout.rate_channels, "Hz", "rate of each spike channel"),
        ("current_pa", layout.current_channels, "pA", "amplitude of each current channel"),
    )
    specs = [
        _grown(
            f"stimulus/{name}",
            "float32",
            ("time", "animal", f"{name.split('_')[0]}_channel"),
            (layout.animals, len(channels)),
            units,
            f"{text} during the control step",
            STEPS,
            channel_names=list(channels),
        )
        for name, channels, units, text in kinds
        if channels
    ]
    return [_time("stimulus", STEPS), *specs] if specs else []


def _weight_specs(layout: Layout) -> list[ArraySpec]:
    specs = [
        _grown(
            f"weights/{name}",
            "float32",
            ("time", "animal", f"synapse_of_{name}"),
            (layout.animals, synapses),
            units,
            f"weights of {name} after the control step",
            WEIGHTS,
        )
        for name, (synapses, units) in layout.weights.items()
    ]
    return [_time("weights", WEIGHTS), _control_step("weights", WEIGHTS, "time"), *specs] if specs else []


def _interval_specs(layout: Layout) -> list[ArraySpec]:
    columns = {
        "animal": Variable("1", "animal of the interval", dtype="int64"),
        "start_step": Variable("1", "control step with which the interval begins", dtype="int64"),
        "stop_step": Variable("1", "control step after the last one of the interval", dtype="int64"),
        "kind": Variable("1", "kind of the interval", dtype="int64", categories=tuple(layout.intervals)),
        **interval_columns(layout),
    }
    return [
        _control_step("intervals", INTERVALS, "interval"),
        _time("intervals", INTERVALS, "interval"),
        *(
            variable_spec(f"intervals/{name}", column, ("interval",), (), INTERVALS)
            for name, column in columns.items()
        ),
    ]


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
    steps, watched, name = layout.steps_per_control, len(layout.watched), layout.recordable
    quantity = "membrane potential" if name == "V_m" else name
    back = (np.arange(1, steps + 1) - steps) * layout.dt_ms / 1000.0
    return [
        _time("voltages", STEPS),
        _grown(
            f"voltages/{name}",
            "float32",
            ("time", "animal", "offset", "watched"),
            (layout.animals, steps, watched),
            next((unit for beginning, unit in NEST_UNITS.items() if name.startswith(beginning)), "1"),
            f"{quantity} at the end of each simulation step of the control step",
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
