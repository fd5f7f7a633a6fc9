"""An animal of a recording as a file of Neurodata Without Borders: `pip install 'ethospike[analysis]'`."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from ethospike.errors import RecordingError
from ethospike.paths import user_path
from ethospike.recorders.recording.parts import Part, load
from ethospike.recorders.recording.recording import Recording


def to_nwb(
    recording: Recording,
    file: str | Path,
    animal: int = 0,
    population: str | None = None,
    start_s: float = 0.0,
    stop_s: float | None = None,
) -> Path:
    """Write an animal's spikes and behavior to an NWB file; return its path.

    The units table has a row a neuron, with its population; each behavioral variable is a `TimeSeries` in the
    processing module `behavior`. Times count from the run's start, which is taken from `run.json`.

    Parameters
    ----------
    recording : Recording
    file : path-like
        By habit it ends in .nwb; it must not exist. It is there when it is complete.
    animal : int
        From 0.
    population : str, optional
        By default all whose spikes were listed.
    start_s, stop_s : float
        The part (start_s, stop_s] of the recording; by default all of it.

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
    started = recording.run_info.get("started")
    # NWB demands a date; a recording without its run folder does not know one.
    date = datetime.datetime.fromisoformat(started) if started else datetime.datetime(1970, 1, 1)
    nwb = pynwb.NWBFile(
        session_description=f"ethospike simulation, {recording.run_info.get('scenario', 'unnamed')}",
        identifier=f"{recording.path}#animal={animal}",
        session_start_time=date if date.tzinfo else date.replace(tzinfo=datetime.UTC),
        subject=pynwb.file.Subject(subject_id=f"simulated-{animal}", description="simulated animal"),
    )
    nwb.add_unit_column("population", "population of the neuron")
    nwb.add_unit_column("neuron", "neuron, counted through the populations")
    interval = [[part.start_s, part.stop_s]]
    for train in part.trains():
        nwb.add_unit(
            spike_times=train.time_s, obs_intervals=interval, population=train.population, neuron=train.neuron
        )
    module = nwb.create_processing_module(
        "behavior", "observations, actions, rewards and the state of the body"
    )
    for signal in part.signals():
        module.add(
            pynwb.TimeSeries(
                name=signal.name,
                data=signal.values,
                unit=signal.units,
                timestamps=part.time_s,
                description=signal.long_name,
            )
        )
    partial = file.with_name(f".{file.stem}.part{file.suffix}")
    try:
        with pynwb.NWBHDF5IO(str(partial), "w") as io:
            io.write(nwb)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    return file
