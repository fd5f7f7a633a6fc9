"""A part of an animal's recording, as the exports to other libraries need it: times from whole steps."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import seconds
from ethospike.errors import AnalysisNotInstalled, RecordingError
from ethospike.recorders.recording.recording import Recording


def load(module: str) -> Any:
    """Return a module of the extra `analysis`.

    Raises
    ------
    AnalysisNotInstalled
        When it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise AnalysisNotInstalled(
            f"this export needs {module!r} ({error}); install it with: pip install 'ethospike[analysis]'"
        ) from error


class Train(NamedTuple):
    """Spikes of a neuron: its number, its population, and times in seconds."""

    neuron: int
    population: str
    time_s: NDArray[np.float64]


class Signal(NamedTuple):
    """A variable of behavior: values of shape (times, columns), and names of the columns if they have any."""

    name: str
    values: NDArray[Any]
    units: str
    long_name: str
    columns: list[str]


@dataclass(frozen=True)
class Part:
    """An animal between two times.

    Parameters
    ----------
    recording : Recording
    animal : int
    population : str or None
        Population to export; None for all listed ones.
    first, last : int
        Simulation steps: the part holds the steps first + 1 … last.
    """

    recording: Recording
    animal: int
    population: str | None
    first: int
    last: int

    @classmethod
    def of(
        cls,
        recording: Recording,
        animal: int,
        population: str | None,
        start_s: float,
        stop_s: float | None,
    ) -> Part:
        """Return the part (start_s, stop_s] of an animal; a window without a control step is allowed.

        Raises
        ------
        RecordingError
            When there is no such animal, or the times are not within the recording.
        """
        if animal not in range(recording.animals):
            raise RecordingError(f"there is no animal {animal}; valid: 0 … {recording.animals - 1}")
        end_s = recording.duration_s
        stop_s = end_s if stop_s is None else stop_s
        first, last = recording.simulation_steps(start_s, stop_s)
        beyond = recording.simulation_steps(0.0, end_s)[1] * (1 + 1e-9)
        dt_s = recording.dt_ms / 1000.0
        if not (start_s >= 0 and first < last and stop_s / dt_s <= beyond):
            raise RecordingError(f"expected times within 0 … {end_s} s, got {start_s} … {stop_s} s")
        return cls(recording, animal, population, first, last)

    @property
    def start_s(self) -> float:
        """Beginning of the part."""
        return seconds(self.first, self.recording.dt_ms)

    @property
    def stop_s(self) -> float:
        """End of the part; a spike in its last step is at this very time."""
        return seconds(self.last, self.recording.dt_ms)

    @property
    def rows(self) -> range:
        """Control steps that end in the part."""
        per_control = self.recording.steps_per_control
        return range(self.first // per_control, self.last // per_control)

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Ends of these control steps."""
        ends = (np.asarray(self.rows, np.int64) + 1) * self.recording.steps_per_control
        return seconds(ends, self.recording.dt_ms)

    def trains(self) -> Iterator[Train]:
        """Yield the spikes of each listed neuron, silent ones too."""
        recording = self.recording
        if not recording.layout.populations:
            return
        names = recording.listed_populations if self.population is None else [self.population]
        table = recording.spikes(names, self.animal, self.start_s, self.stop_s)
        order = np.argsort(table.neuron, kind="stable")
        neurons, times = table.neuron[order], table.time_s[order]
        for name in names:
            for neuron in recording.neurons(name):
                first, last = np.searchsorted(neurons, [neuron, neuron + 1])
                yield Train(neuron, name, times[first:last])

    def signals(self) -> Iterator[Signal]:
        """Yield each variable of behavior; booleans as the integers 0 and 1."""
        rows = slice(self.rows.start, self.rows.stop)
        behavior = self.recording.behavior.isel(animal=self.animal, time=rows)
        for name in sorted(map(str, behavior.data_vars)):
            array = behavior[name]
            values = np.asarray(array.values)
            values = values.reshape(len(values), int(np.prod(values.shape[1:])))
            yield Signal(
                name,
                values.astype(np.uint8) if values.dtype == bool else values,
                str(array.attrs["units"]),
                str(array.attrs["long_name"]),
                list(array.attrs.get(f"{array.dims[-1]}_names", ())) if array.ndim == 2 else [],
            )
