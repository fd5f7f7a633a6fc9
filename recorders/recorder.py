"""The contract of a recorder: a `StepRecord` for each control step, described once by a `Layout`.

A recorder listens and never changes the run. Spikes and stimuli are objects with the attributes named here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.variables import Component, Panel


class Spikes(Protocol):
    """Spikes of a window, sorted by (step, animal, neuron); integer arrays of one length."""

    @property
    def step(self) -> NDArray[np.int64]:
        """Simulation steps, from 1."""

    @property
    def animal(self) -> NDArray[np.int32]:
        """Animals, from 0."""

    @property
    def neuron(self) -> NDArray[np.int32]:
        """Neurons, counted through the populations of an animal."""


class StimulusLike(Protocol):
    """Input of the network: arrays of shape (animals, channels), or None."""

    @property
    def rate_hz(self) -> NDArray[np.float64] | None:
        """Rates of the spike channels."""

    @property
    def current_pa(self) -> NDArray[np.float64] | None:
        """Amplitudes of the current channels."""


@dataclass(frozen=True)
class Variable:
    """One array of `behavior/`, or one column of the table of intervals.

    Parameters
    ----------
    units, long_name : str
    dims, shape : tuple
        Dimensions and shape of a row, after (time, animal).
    dtype : str
    components : tuple of Component
        Names and units of the entries of the last dimension; empty if they have none.
    panel : Panel, optional
        The panel of a view that draws the variable.
    categories : tuple of str
        Names of the values 0, 1, … of an integer variable; −1 stands for none of them.
    """

    units: str
    long_name: str
    dims: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    components: tuple[Component, ...] = ()
    panel: Panel | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class PopulationLayout:
    """Neurons start … start + size − 1 of an animal, in `clusters` equal, contiguous groups."""

    name: str
    start: int
    size: int
    clusters: int = 1


@dataclass(frozen=True)
class Layout:
    """Description of a run for readers: everything that a `StepRecord` does not repeat.

    Parameters
    ----------
    animals : int
    dt_ms, control_interval_ms : float
    steps_per_control : int
        Simulation steps in one control step.
    variables : mapping of str to Variable
        The arrays of `behavior/`: observation, action, reward, terminated, truncated, and the entries of
        `StepRecord.values`.
    populations : tuple of PopulationLayout
        Empty for an agent without neurons.
    rate_channels, current_channels : tuple of str
        Name of each stimulus channel, by habit `input[index]`.
    weights : mapping of str to tuple (n_synapses, units)
        Plastic projections.
    phases : tuple of str
        Names of the phases to which the integer variable `phase` refers; empty without phases.
    phase_at_end : bool
        False if row k of `phase` is the phase during control step k, True if it is the phase of the task
        after the control step.
    watched : tuple of int
        Neurons with a voltage in each `StepRecord`, counted through an animal.
    recordable : str
        Quantity that is recorded of them instead of the voltage, V_m, if it is another one.
    intervals : mapping of str to mapping of str to Variable
        The kinds of intervals that the task reports, such as `trial` or `episode`, and the columns of each
        beside `animal`, `start_step` and `stop_step`: numbers, one an interval.
    labels : mapping of str to tuple of str
        Names of the neurons of an animal by kind of label, such as `class` or `side`: one for each neuron,
        empty where it has none.
    scene : mapping
        The parts of the environment's world that stay the same and are needed to draw a `StepRecord`, in
        the plain types of JSON. Empty for an environment that cannot be drawn.
    """

    animals: int
    dt_ms: float
    control_interval_ms: float
    steps_per_control: int
    variables: Mapping[str, Variable]
    populations: tuple[PopulationLayout, ...] = ()
    rate_channels: tuple[str, ...] = ()
    current_channels: tuple[str, ...] = ()
    weights: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    phases: tuple[str, ...] = ()
    phase_at_end: bool = False
    watched: tuple[int, ...] = ()
    recordable: str = "V_m"
    intervals: Mapping[str, Mapping[str, Variable]] = field(default_factory=dict)
    scene: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _no_frame(animal: int) -> None:
    """Return no picture: the environment renders none."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """Control step k: the observation that was used, and its consequences.

    Parameters
    ----------
    control_step : int
        k, from 0.
    values : mapping of str to ndarray, shape (animals, …)
        By name in `Layout.variables`: observation, action, reward, terminated, truncated, the state of
        the body after the step, and the read-out of the agent.
    stimulus, spikes
        As the agent's decision holds them; None for an agent without neurons.
    weights : callable
        Returns the plastic weights by projection, each (animals, synapses); called when they are due.
    intervals : mapping of str to mapping of str to ndarray
        Intervals that were reported after this step, by kind and column (`Layout.intervals`); empty in most
        steps. Each column is an array of shape (rows,). `start_step` and `stop_step` are control steps of
        the run: an interval holds the rows start_step … stop_step − 1 of a recording, and its time is
        (start_step, stop_step] · `control_interval_ms`. None ends after this step.
    voltages : ndarray or None, shape (steps, animals, watched)
        V_m in mV of the neurons in `Layout.watched` at the end of each simulation step of the window, or
        their `Layout.recordable`.
    frame : callable(animal)
        Returns the environment's own picture of an animal after the step, uint8 (height, width, 3), or None;
        called by views, while the step is the last.
    """

    control_step: int
    values: Mapping[str, NDArray[Any]]
    stimulus: StimulusLike | None = None
    spikes: Spikes | None = None
    weights: Callable[[], Mapping[str, NDArray[np.float64]]] = dict
    intervals: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    voltages: NDArray[np.float64] | None = None
    frame: Callable[[int], NDArray[np.uint8] | None] = _no_frame


class Recorder(ABC):
    """A listener of the loop; a context manager."""

    @abstractmethod
    def record(self, record: StepRecord) -> None:
        """Record a control step; they come in order, from 0 (or from where a continued run begins).

        A recorder may keep the arrays of a record and look at them later, as a live view does: once recorded,
        they are not written into again. Only `record.weights` is called here or never, and the arrays that it
        returned may be used again afterwards.

        Raises
        ------
        RecordingError
            When the step cannot be recorded.
        """

    @abstractmethod
    def close(self, status: str = "complete") -> None:
        """Finish with a status: complete, stopped or failed. Closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close("complete" if kind is None else "failed")
