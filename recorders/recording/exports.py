"""One animal of a recording for other libraries: pynapple, Neo, and Neurodata Without Borders.

In: a `Recording`. Out: their objects or file. The libraries are imported when they are needed:
`pip install 'ethospike[analysis]'`.
"""

from __future__ import annotations

import datetime
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import AnalysisNotInstalled, RecordingError

if TYPE_CHECKING:
    import neo
    import pynapple

    from ethospike.recorders.recording.recording import Recording


def _load(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise AnalysisNotInstalled(
            f"this export needs {module!r} ({error}); install it with: pip install 'ethospike[analysis]'"
        ) from error


def to_pynapple(
    recording: Recording, animal: int, population: str | None, start_s: float, stop_s: float | None
) -> dict[str, pynapple.TsGroup | pynapple.TsdFrame]:
    """Return an animal's spikes and behavior for pynapple.

    Returns
    -------
    dict
        `spikes`: a `TsGroup` whose keys are the neurons as the recording counts them, with `population` as
        metadata; each variable of `behavior`: a `TsdFrame` with one column a number.
    """
    nap = _load("pynapple")
    stop_s = _check(recording, animal, start_s, stop_s)
    support = nap.IntervalSet(start=start_s, end=stop_s)
    trains, names = {}, []
    for neuron, name, times in _trains(recording, animal, population, start_s, stop_s):
        trains[neuron] = nap.Ts(t=times, time_support=support)
        names.append(name)
    result: dict[str, Any] = {
        "spikes": nap.TsGroup(trains, time_support=support, metadata={"population": np.array(names)})
    }
    for name, times, values, _, _ in _behavior(recording, animal, start_s, stop_s):
        result[name] = nap.TsdFrame(t=times, d=values, time_support=support)
    return result


def to_neo(
    recording: Recording, animal: int, population: str | None, start_s: float, stop_s: float | None
) -> neo.Block:
    """Return an animal's spike trains and behavior as a `neo.Block` of one segment.

    A spike train's name is `population[index]`; a behavioral variable is an `AnalogSignal` sampled at the
    control interval, with its unit in words as the annotation `units_text`, because Neo knows no degrees
    of freedom such as a phase number.
    """
    neo, quantities = _load("neo"), _load("quantities")
    stop_s = _check(recording, animal, start_s, stop_s)
    block = neo.Block(
        name=str(recording.path.parent.name), description="one animal of an ethospike recording"
    )
    segment = neo.Segment(name=f"animal {animal}")
    block.segments.append(segment)
    for neuron, name, times in _trains(recording, animal, population, start_s, stop_s):
        start = recording.neurons(name).start
        segment.spiketrains.append(
            neo.SpikeTrain(
                times,
                units="s",
                t_start=start_s,
                t_stop=stop_s,
                name=f"{name}[{neuron - start}]",
                neuron=neuron,
                population=name,
            )
        )
    for name, times, values, units, long_name in _behavior(recording, animal, start_s, stop_s):
        if len(times):
            signal = neo.AnalogSignal(
                values,
                units=quantities.dimensionless,
                t_start=times[0] * quantities.s,
                sampling_period=recording.interval_s * quantities.s,
                name=name,
                description=long_name,
                units_text=units,
            )
            segment.analogsignals.append(signal)
    return block


def to_nwb(
    recording: Recording,
    file: Path,
    animal: int,
    population: str | None,
    start_s: float,
    stop_s: float | None,
) -> Path:
    """Write an animal's spikes and behavior to an NWB file.

    The units table has a row a neuron, with its population; each behavioral variable is a `TimeSeries` in the
    processing module `behavior`. Times count from the run's start, which is taken from `run.json`.
    """
    pynwb = _load("pynwb")
    stop_s = _check(recording, animal, start_s, stop_s)
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
    interval = [[start_s, stop_s]]
    for neuron, name, times in _trains(recording, animal, population, start_s, stop_s):
        nwb.add_unit(spike_times=times, obs_intervals=interval, population=name, neuron=neuron)
    module = nwb.create_processing_module(
        "behavior", "observations, actions, rewards and the state of the body"
    )
    for name, times, values, units, long_name in _behavior(recording, animal, start_s, stop_s):
        module.add(
            pynwb.TimeSeries(name=name, data=values, unit=units, timestamps=times, description=long_name)
        )
    part = file.with_name(f".{file.stem}.part{file.suffix}")
    try:
        with pynwb.NWBHDF5IO(str(part), "w") as io:
            io.write(nwb)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    return file


def _check(recording: Recording, animal: int, start_s: float, stop_s: float | None) -> float:
    if animal not in range(recording.animals):
        raise RecordingError(f"there is no animal {animal}; valid: 0 … {recording.animals - 1}")
    stop_s = recording.duration_s if stop_s is None else stop_s
    if not 0 <= start_s < stop_s <= recording.duration_s + 1e-9:
        raise RecordingError(
            f"expected times within 0 … {recording.duration_s} s, got {start_s} … {stop_s} s"
        )
    return stop_s


def _trains(
    recording: Recording, animal: int, population: str | None, start_s: float, stop_s: float
) -> Iterator[tuple[int, str, NDArray[np.float64]]]:
    """Yield neuron, population and spike times (s) of each listed neuron, silent ones too."""
    if not recording.layout.populations:
        return
    listed = recording.listed_populations
    names = listed if population is None else [population]
    table = recording.spikes(names, animal, start_s, stop_s)
    order = np.argsort(table.neuron, kind="stable")
    neurons, times = table.neuron[order], table.time_s[order]
    for name in names:
        for neuron in recording.neurons(name):
            first, last = np.searchsorted(neurons, [neuron, neuron + 1])
            yield neuron, name, times[first:last]


def _behavior(
    recording: Recording, animal: int, start_s: float, stop_s: float
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[Any], str, str]]:
    """Yield name, times (s), values (times, numbers), unit and long name of each variable."""
    behavior = recording.behavior.isel(animal=animal)
    # Half a step of tolerance: the edges are ends of control steps.
    edges = slice(start_s + 0.5 * recording.interval_s, stop_s + 0.5 * recording.interval_s)
    behavior = behavior.sel(time=edges)
    for name in sorted(map(str, behavior.data_vars)):
        array = behavior[name]
        values = np.asarray(array.values).reshape(array.shape[0], -1)
        yield (
            name,
            behavior["time"].values,
            values.astype(np.uint8) if values.dtype == bool else values,
            str(array.attrs["units"]),
            str(array.attrs["long_name"]),
        )
