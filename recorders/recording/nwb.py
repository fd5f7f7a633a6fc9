"""An animal of a recording as a file of Neurodata Without Borders: `pip install 'ethospike[analysis]'`."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import tempfile
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import seconds
from ethospike.errors import RecordingError
from ethospike.paths import user_path
from ethospike.recorders.format import PHASE, TRIAL
from ethospike.recorders.recording.parts import Part, load
from ethospike.recorders.recording.recording import Recording
from ethospike.recorders.subject import Subject

if TYPE_CHECKING:
    import pandas as pd

OWN_COLUMNS = ("animal", "kind", "start_step", "stop_step", "start_s", "stop_s")
"""Columns of a table of intervals that are no columns of the task."""


def to_nwb(
    recording: Recording,
    file: str | Path,
    animal: int = 0,
    population: str | None = None,
    start_s: float = 0.0,
    stop_s: float | None = None,
    *,
    subject: Subject | None = None,
) -> Path:
    """Write an animal to an NWB file that archives such as DANDI accept; return its path.

    The file holds the spikes (a row of `units` for each listed neuron, with its population), behavior (time
    series in the processing module `behavior`), the inputs of the brain (`stimulus`), plastic weights (module
    `misc`), phases (`epochs`), `trials`, and other intervals by their kind. Times count from the run's
    start, which is taken from `run.json`.

    Parameters
    ----------
    recording : Recording
    file : path-like
        By habit it ends in .nwb; it must not exist. It is there when it is complete.
    animal : int
        From 0.
    population : str, optional
        By default all with listed spikes.
    start_s, stop_s : float
        The part (start_s, stop_s] of the recording; by default all of it.
    subject : Subject, optional
        By default that of the run's configuration (`subject.species`, …).

    Raises
    ------
    AnalysisNotInstalled
        When PyNWB is not installed.
    NotRecorded
        When the spikes of the animal or the population were not listed.
    RecordingError
        When the file exists, there is no such animal or population, or the times are not within the
        recording.
    """
    pynwb = load("pynwb")
    file = user_path(file)
    part = Part.of(recording, animal, population, start_s, stop_s)
    if file.exists():
        raise RecordingError(f"{file} exists already and is not overwritten; choose another name")
    nwb = _new_file(pynwb, part, _subject(recording, subject))
    _add_units(pynwb, nwb, part)
    _add_behavior(pynwb, nwb, part)
    _add_stimulus(pynwb, nwb, part)
    _add_weights(pynwb, nwb, part)
    for kind in recording.interval_kinds:
        _add_intervals(pynwb, nwb, part, kind)
    _write(pynwb, nwb, file)
    return file


def _write(pynwb: Any, nwb: Any, file: Path) -> None:
    """Write a file whole or not at all, under a name of its own: two exports may write one file at once."""
    handle, name = tempfile.mkstemp(prefix=".export-", suffix=file.suffix, dir=file.parent)
    os.close(handle)
    partial = Path(name)
    try:
        with pynwb.NWBHDF5IO(str(partial), "w") as io:
            io.write(nwb)
        partial.chmod(0o666 & ~_umask())
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _subject(recording: Recording, subject: Subject | None) -> Subject:
    if subject is None:
        known = {field.name for field in dataclasses.fields(Subject)}
        configured = recording.config.get("subject", {})
        subject = Subject(**{name: text for name, text in configured.items() if name in known})
    if missing := [name for name in ("species", "age") if not getattr(subject, name)]:
        warnings.warn(
            f"archives ask for the subject's {' and '.join(missing)}, which this run does not name; give "
            f"to_nwb(…, subject=Subject('Drosophila melanogaster', age='P5D'))",
            stacklevel=3,
        )
    return subject


def _new_file(pynwb: Any, part: Part, subject: Subject) -> Any:
    info = part.recording.run_info
    started = info.get("started")
    # NWB demands a date; a recording without its run folder does not know one.
    date = datetime.datetime.fromisoformat(started) if started else datetime.datetime(1970, 1, 1)
    scenario = str(info.get("scenario", "unnamed"))
    # The same part of the same run is the same session, wherever it lies.
    run = json.dumps([info or part.recording.to_zarr().attrs.asdict(), part.animal, part.first, part.last])
    return pynwb.NWBFile(
        session_description=f"ethospike simulation of the scenario {scenario}",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_URL, run)),
        experiment_description="A spiking network in closed loop with a simulated body; its configuration: "
        + json.dumps(part.recording.config, ensure_ascii=False),
        session_start_time=date if date.tzinfo else date.replace(tzinfo=datetime.UTC),
        session_id=f"{scenario}-seed-{info.get('seed', 'unknown')}",
        keywords=["simulation", "spiking neural network", scenario],
        source_script=f"ethospike {info.get('versions', {}).get('ethospike', '')}".strip(),
        source_script_file_name="ethospike",
        subject=pynwb.file.Subject(
            subject_id=f"simulated-{part.animal}",
            description=f"simulated animal {part.animal} of a group of {part.recording.animals}",
            species=subject.species or None,
            sex=subject.sex,
            age=subject.age or None,
            strain=subject.strain or None,
        ),
    )


def _add_units(pynwb: Any, nwb: Any, part: Part) -> None:
    trains = list(part.trains())
    if not trains:
        return
    # Archives ask for the smallest difference between two spike times: a simulation step.
    nwb.units = pynwb.misc.Units(
        name="units", description="spikes of each neuron", resolution=part.recording.dt_ms / 1000.0
    )
    nwb.add_unit_column("population", "population of the neuron")
    nwb.add_unit_column("neuron", "number of the neuron, counted through the populations")
    interval = [[part.start_s, part.stop_s]]
    for train in trains:
        nwb.add_unit(
            spike_times=train.time_s, obs_intervals=interval, population=train.population, neuron=train.neuron
        )


def _add_behavior(pynwb: Any, nwb: Any, part: Part) -> None:
    if not len(part.rows):
        return
    module = nwb.create_processing_module(
        "behavior", "observations, actions, rewards and the state of the body"
    )
    for signal in part.signals():
        text = signal.long_name
        if signal.columns:
            text = f"{text}; columns: {', '.join(signal.columns)}"
        module.add(_series(pynwb, signal.name, signal.values, signal.units, part.time_s, text))


def _add_stimulus(pynwb: Any, nwb: Any, part: Part) -> None:
    rows = slice(part.rows.start, part.rows.stop)
    # A stimulus lasts for its control step: it is dated by the beginning.
    begins = np.asarray(part.rows, np.int64) * part.recording.steps_per_control
    for name, array in part.recording.stimulus.data_vars.items():
        values = np.asarray(array.isel(time=rows, animal=part.animal).values)
        if len(values):
            text = f"{array.attrs['long_name']}; columns: {', '.join(array.attrs['channel_names'])}"
            times = seconds(begins, part.recording.dt_ms)
            nwb.add_stimulus(_series(pynwb, str(name), values, array.attrs["units"], times, text))


def _add_weights(pynwb: Any, nwb: Any, part: Part) -> None:
    recording = part.recording
    if "weights" not in recording.to_zarr():
        return
    module = None
    for name in recording.layout.weights:
        weights = recording.weights(name)
        steps = weights["control_step"].values
        kept = (steps >= part.rows.start) & (steps < part.rows.stop)
        if not kept.any():
            continue
        module = module or nwb.create_processing_module("misc", "weights of plastic projections")
        values = np.asarray(weights.isel(time=kept, animal=part.animal).values)
        times = seconds((steps[kept] + 1) * recording.steps_per_control, recording.dt_ms)
        text = f"{weights.attrs['long_name']}; a column for each synapse"
        module.add(_series(pynwb, f"weights {name}", values, weights.attrs["units"], times, text))


def _series(
    pynwb: Any, name: str, values: NDArray[Any], units: str, times: NDArray[np.float64], description: str
) -> Any:
    """Return a time series, compressed, with a rate instead of times where these are regular."""
    wrapped = load("hdmf.backends.hdf5").H5DataIO
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    steps = np.diff(times)
    timing: dict[str, Any] = {"timestamps": times}
    if len(times) > 1 and np.allclose(steps, steps[0], rtol=1e-6):
        # From the whole span: the difference of two times has lost digits.
        rate_hz = (len(times) - 1) / (times[-1] - times[0])
        timing = {"starting_time": float(times[0]), "rate": round(float(rate_hz), 9)}
    data = wrapped(values, compression="gzip") if len(values) > 1 else values
    return pynwb.TimeSeries(name=name, data=data, unit=units, description=description, **timing)


def _add_intervals(pynwb: Any, nwb: Any, part: Part, kind: str) -> None:
    """Add the intervals of a kind that touch the part: phases as epochs, trials as trials."""
    table = part.recording.intervals(kind)
    touches = (table["start_s"] < part.stop_s) & (table["stop_s"] > part.start_s)
    table = table[(table["animal"] == part.animal) & touches]
    if not len(table):
        return
    names = [name for name in table.columns if name not in OWN_COLUMNS]
    described = part.recording.layout.intervals.get(kind, {})
    texts = {
        name: f"{described[name].long_name} ({described[name].units})" if name in described else name
        for name in names
    }
    if kind == PHASE:
        for row in _rows(table, [PHASE]):
            nwb.add_epoch(row["start_time"], row["stop_time"], tags=[row[PHASE]])
        return
    if kind == TRIAL:
        for name, text in texts.items():
            nwb.add_trial_column(name, text)
        for row in _rows(table, names):
            nwb.add_trial(**row)
        return
    intervals = pynwb.epoch.TimeIntervals(name=kind, description=f"intervals of the kind {kind}")
    for name, text in texts.items():
        intervals.add_column(name, text)
    for row in _rows(table, names):
        intervals.add_interval(**row)
    nwb.add_time_intervals(intervals)


def _rows(table: pd.DataFrame, names: list[str]) -> list[Mapping[str, Any]]:
    """Return the rows of a table of intervals with the names that NWB has; a missing name is empty."""
    rows: list[Mapping[str, Any]] = []
    for row in table.to_dict("records"):
        values = {name: "" if row[name] is None else row[name] for name in names}
        rows.append({"start_time": row["start_s"], "stop_time": row["stop_s"], **values})
    return rows
