"""An animal of a recording for pynapple and Neo: `pip install 'ethospike[analysis]'`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ethospike.recorders.recording.parts import Part, Train, load
from ethospike.recorders.recording.recording import Recording

if TYPE_CHECKING:
    import neo
    import pynapple


def to_pynapple(
    recording: Recording,
    animal: int = 0,
    population: str | None = None,
    start_s: float = 0.0,
    stop_s: float | None = None,
) -> dict[str, pynapple.TsGroup | pynapple.TsdFrame]:
    """Return an animal's spikes and behavior for pynapple.

    Parameters
    ----------
    recording : Recording
    animal : int
        From 0.
    population : str, optional
        By default all with listed spikes.
    start_s, stop_s : float
        The part (start_s, stop_s] of the recording; by default all of it.

    Returns
    -------
    dict
        `spikes`: a `TsGroup` with the neurons as keys, as the recording counts them, and `population` as
        metadata; each variable of `behavior`: a `TsdFrame` with one column a number, named where its entries
        have names.

    Raises
    ------
    AnalysisNotInstalled
        When pynapple is not installed.
    NotRecorded
        When the spikes of the animal or the population were not listed.
    RecordingError
        When there is no such animal or population, or the times are not within the recording.
    """
    nap = load("pynapple")
    part = Part.of(recording, animal, population, start_s, stop_s)
    support = nap.IntervalSet(start=part.start_s, end=part.stop_s)
    trains, names = {}, []
    for train in part.trains():
        trains[train.neuron] = nap.Ts(t=train.time_s, time_support=support)
        names.append(train.population)
    result: dict[str, Any] = {
        "spikes": nap.TsGroup(trains, time_support=support, metadata={"population": np.array(names)})
    }
    for signal in part.signals():
        result[signal.name] = nap.TsdFrame(
            t=part.time_s, d=signal.values, time_support=support, columns=signal.columns or None
        )
    return result


def to_neo(
    recording: Recording,
    animal: int = 0,
    population: str | None = None,
    start_s: float = 0.0,
    stop_s: float | None = None,
) -> neo.Block:
    """Return an animal's spike trains and behavior as a `neo.Block` of one segment.

    A spike train's name is `population[index]`; a behavioral variable is an `AnalogSignal` sampled at the
    control interval, with its unit in words as the annotation `units_text`, because Neo has no unit for
    numbers such as that of a phase.

    Parameters
    ----------
    recording : Recording
    animal : int
        From 0.
    population : str, optional
        By default all with listed spikes.
    start_s, stop_s : float
        The part (start_s, stop_s] of the recording; by default all of it.

    Raises
    ------
    AnalysisNotInstalled
        When Neo is not installed.
    NotRecorded
        When the spikes of the animal or the population were not listed.
    RecordingError
        When there is no such animal or population, or the times are not within the recording.
    """
    neo, quantities = load("neo"), load("quantities")
    part = Part.of(recording, animal, population, start_s, stop_s)
    block = neo.Block(
        name=str(recording.path.parent.name), description="one animal of an ethospike recording"
    )
    segment = neo.Segment(name=f"animal {animal}")
    block.segments.append(segment)
    for train in part.trains():
        segment.spiketrains.append(_spike_train(neo, part, train))
    for signal in part.signals() if len(part.rows) else ():
        segment.analogsignals.append(
            neo.AnalogSignal(
                signal.values,
                units=quantities.dimensionless,
                t_start=part.time_s[0] * quantities.s,
                sampling_period=recording.interval_s * quantities.s,
                name=signal.name,
                description=signal.long_name,
                units_text=signal.units,
            )
        )
    return block


def _spike_train(neo: Any, part: Part, train: Train) -> Any:
    index = train.neuron - part.recording.neurons(train.population).start
    return neo.SpikeTrain(
        train.time_s,
        units="s",
        t_start=part.start_s,
        t_stop=part.stop_s,
        name=f"{train.population}[{index}]",
        neuron=train.neuron,
        population=train.population,
    )
