"""Sources of the data of a view: the running loop, or a recording.

A view asks for the last so many control steps, whether they are remembered or read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.scene import Scene, scene_of
from ethospike.recorders.recorder import Layout

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

T = TypeVar("T")

RASTER_NEURONS = 1000
"""Neurons of an animal that a raster shows at most: more than a panel has lines of pixels, and 25,000 would
be 150,000 dots a second."""
VIEWED = ("phase", "reward", "action")
"""Variables that every view may draw, besides those of its scene and those with a panel."""
BLOCK_STEPS = 512
"""Control steps read from a recording at a time."""
KEPT_BLOCKS = 160
"""Blocks of single variables kept in memory; a window of the view needs about 40."""
KEPT_SPIKE_BLOCKS = 4
"""Blocks of spikes kept in memory, each up to some megabytes; a raster needs two."""
WEIGHTS_KEPT = 64


def viewed_variables(layout: Layout) -> tuple[str, ...]:
    """Return the variables of a run that a view draws."""
    scene = scene_of_layout(layout)
    drawn = set(VIEWED) if scene is None else {*VIEWED, *scene.needed, *scene.optional}
    return tuple(
        name for name, variable in layout.variables.items() if name in drawn or variable.panel is not None
    )


def scene_of_layout(layout: Layout) -> Scene | None:
    """Return the scene of a run, or None for a run that has none."""
    return scene_of(layout.scene) if layout.scene.get("kind") else None


def raster_stride(layout: Layout) -> int:
    """Return k, where a raster shows every k-th neuron of each population, from its first on."""
    neurons = sum(population.size for population in layout.populations)
    return max(1, -(-neurons // RASTER_NEURONS))


def raster_neurons(layout: Layout) -> NDArray[np.bool_]:
    """Return a mask of the neurons of an animal in a raster, shape (neurons,)."""
    shown = np.zeros(max((p.start + p.size for p in layout.populations), default=0), bool)
    for population in layout.populations:
        shown[population.start : population.start + population.size : raster_stride(layout)] = True
    return shown


@dataclass
class Batch:
    """Control steps on their way from the loop to a view.

    Parameters
    ----------
    steps : ndarray of int64, shape (steps,)
    values : mapping of str to ndarray, shape (steps, animals, …)
    spike_step, spike_neuron : ndarray, shape (spikes,)
        Of the neurons in the raster, of one animal.
    animal : int
        The animal of the spikes and weights.
    wall_s : float
        Seconds on a clock of the loop's when the last of them was done.
    weights : mapping of str to ndarray, shape (synapses,)
        The weights after the last of the steps; empty if they were not asked for.
    skipped : int
        Control steps that were left out so far, because the view was busy.
    frame : ndarray, shape (height, width, 3), or None
        The environment's own picture after the last of the steps.
    """

    steps: NDArray[np.int64]
    values: Mapping[str, NDArray[Any]]
    spike_step: NDArray[np.int64]
    spike_neuron: NDArray[np.int32]
    animal: int
    wall_s: float
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    skipped: int = 0
    frame: NDArray[np.uint8] | None = None


class ViewSource(ABC):
    """Rows up to a control step, of a run that goes on or is over.

    Attributes
    ----------
    layout : Layout
    title : str
        Name of the run.
    animal : int
        The animal of the spikes and weights.
    is_live : bool
        True while steps are still coming.
    unlisted : tuple of str
        Populations without a list of spikes in the recording.
    """

    is_live: bool = False
    unlisted: tuple[str, ...] = ()

    def __init__(self, layout: Layout, title: str) -> None:
        self.layout = layout
        self.title = title
        self.animal = 0

    @property
    @abstractmethod
    def steps(self) -> range:
        """The control steps that can be shown."""

    @property
    @abstractmethod
    def real_time_factor(self) -> float | None:
        """Simulated time per wall time of the run, if it is known."""

    @abstractmethod
    def rows(self, name: str, last: int, n: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return a variable in the control steps last − n + 1 … last, as far as they are there.

        Returns
        -------
        steps : ndarray of int64, shape (rows,)
        values : ndarray, shape (rows, animals, …)
        """

    @abstractmethod
    def spikes(self, last: int, n: int) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
        """Return simulation steps and neurons of the raster's spikes in these control steps."""

    @abstractmethod
    def weights(self, last: int) -> Mapping[str, NDArray[Any]]:
        """Return the animal's plastic weights (synapses,) as they were last known at a control step."""

    def frame(self, step: int) -> NDArray[np.uint8] | None:
        """Return the environment's own picture after a control step, if it is kept."""
        return None

    def nearest(self, step: int, direction: int = 0) -> int:
        """Return the control step that can be shown nearest to one.

        Parameters
        ----------
        step : int
        direction : int
            Where `step` itself cannot be shown: above 0 the next one after it, below 0 the last before it, 0
            whichever is nearer. Beyond the first and the last, those.

        Raises
        ------
        IndexError
            When no step can be shown yet.
        """
        return int(min(max(step, self.steps[0]), self.steps[-1]))

    def select(self, animal: int) -> None:
        """Give the spikes and weights of an animal from now on."""
        self.animal = animal % self.layout.animals


class LiveSource(ViewSource):
    """Remembers the last control steps of a running loop; memory does not grow.

    Parameters
    ----------
    layout : Layout
    title : str
    kept : int
        Control steps to remember.
    """

    is_live = True

    def __init__(self, layout: Layout, title: str, kept: int) -> None:
        super().__init__(layout, title)
        self._kept = kept
        self._steps = np.zeros(2 * kept, np.int64)
        self._values: dict[str, NDArray[Any]] = {}
        for name in viewed_variables(layout):
            variable = layout.variables[name]
            self._values[name] = np.zeros((2 * kept, layout.animals, *variable.shape), variable.dtype)
        self._filled = 0
        self._spikes: list[tuple[NDArray[np.int64], NDArray[np.int32]]] = []
        self._weights: OrderedDict[int, Mapping[str, NDArray[Any]]] = OrderedDict()
        self._clock: list[tuple[float, int]] = []
        self._frame: tuple[int, NDArray[np.uint8]] | None = None
        self.skipped = 0

    @property
    def steps(self) -> range:
        """From the first to the last control step that is remembered; between them some may be left out."""
        if not self._filled:
            return range(0)
        begin = max(0, self._filled - self._kept)
        return range(int(self._steps[begin]), int(self._steps[self._filled - 1]) + 1)

    def nearest(self, step: int, direction: int = 0) -> int:
        """Return the remembered control step nearest to one, which may have been left out."""
        known = self._steps[max(0, self._filled - self._kept) : self._filled]
        place = int(np.searchsorted(known, step))
        before, after = int(known[max(0, place - 1)]), int(known[min(place, len(known) - 1)])
        if after == step or direction > 0:
            return after
        return before if direction < 0 or step - before < after - step else after

    @property
    def real_time_factor(self) -> float | None:
        """Simulated time per wall time over the last seconds."""
        if len(self._clock) < 2 or self._clock[-1][0] <= self._clock[0][0]:
            return None
        (begin_s, first), (end_s, last) = self._clock[0], self._clock[-1]
        return (last - first) * self.layout.control_interval_ms / 1000.0 / (end_s - begin_s)

    def add(self, batch: Batch) -> None:
        """Remember a batch."""
        n = len(batch.steps)
        if n > self._kept:
            newest = {name: values[-self._kept :] for name, values in batch.values.items()}
            batch, n = replace(batch, steps=batch.steps[-self._kept :], values=newest), self._kept
        if self._filled + n > 2 * self._kept:
            for array in (self._steps, *self._values.values()):
                array[: self._kept] = array[self._filled - self._kept : self._filled]
            self._filled = self._kept
        here = slice(self._filled, self._filled + n)
        self._steps[here] = batch.steps
        for name, values in batch.values.items():
            self._values[name][here] = values
        self._filled += n
        self.skipped = batch.skipped
        if batch.animal == self.animal:
            if batch.frame is not None:
                self._frame = (int(batch.steps[-1]), batch.frame)
            self._spikes.append((batch.spike_step, batch.spike_neuron))
            self._forget_spikes()
            if batch.weights:
                self._weights[int(batch.steps[-1])] = batch.weights
                while len(self._weights) > WEIGHTS_KEPT:
                    self._weights.popitem(last=False)
        self._clock.append((batch.wall_s, int(batch.steps[-1])))
        while self._clock[-1][0] - self._clock[0][0] > 3.0 and len(self._clock) > 2:
            self._clock.pop(0)

    def select(self, animal: int) -> None:
        """Forget the spikes of the animal before; those of this one come with the next batches."""
        super().select(animal)
        self._frame = None
        self._spikes.clear()
        self._weights.clear()

    def frame(self, step: int) -> NDArray[np.uint8] | None:
        """Return the newest picture; it stays while the view is paused."""
        return None if self._frame is None else self._frame[1]

    def rows(self, name: str, last: int, n: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the remembered rows of a variable."""
        steps = self._steps[: self._filled]
        begin, end = np.searchsorted(steps, (last - n + 1, last + 1))
        return steps[begin:end], self._values[name][begin:end]

    def spikes(self, last: int, n: int) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
        """Return the remembered spikes."""
        per_control = self.layout.steps_per_control
        first_step, last_step = (last - n + 1) * per_control + 1, (last + 1) * per_control
        step = np.concatenate([np.empty(0, np.int64), *(step for step, _ in self._spikes)])
        neuron = np.concatenate([np.empty(0, np.int32), *(neuron for _, neuron in self._spikes)])
        inside = (step >= first_step) & (step <= last_step)
        return step[inside], neuron[inside]

    def weights(self, last: int) -> Mapping[str, NDArray[Any]]:
        """Return the newest weights that are not younger than the control step."""
        known = [step for step in self._weights if step <= last]
        return self._weights[known[-1]] if known else {}

    def _forget_spikes(self) -> None:
        oldest = self.steps.start * self.layout.steps_per_control
        while len(self._spikes) > 1 and (not len(self._spikes[0][0]) or self._spikes[0][0][-1] <= oldest):
            self._spikes.pop(0)
        if len(self._spikes) > 512:
            # Few large pieces are joined faster than many small ones.
            steps, neurons = zip(*self._spikes, strict=True)
            joined = np.concatenate(steps)
            kept = joined > oldest
            self._spikes = [(joined[kept], np.concatenate(neurons)[kept])]


class RecordingSource(ViewSource):
    """Reads a recording in blocks; memory is that of a few blocks, whatever its length.

    Parameters
    ----------
    recording : Recording
    """

    def __init__(self, recording: Recording) -> None:
        info = recording.run_info
        super().__init__(recording.layout, str(info.get("scenario") or recording.path.parent.name))
        self.recording = recording
        self._factor = info.get("real_time_factor")
        self._shown = raster_neurons(self.layout)
        self._blocks: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._spike_blocks: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        root: Any = recording.to_zarr()
        self._root = root
        self._listed_animals = set(recording.listed_animals)
        self._unlisted = [
            p.name for p in self.layout.populations if p.name not in recording.listed_populations
        ]
        self.select(0)
        self._has_weights = bool(self.layout.weights) and "weights/control_step" in root
        self._weight_steps = np.asarray(
            root["weights/control_step"][:] if self._has_weights else [], np.int64
        )

    @property
    def steps(self) -> range:
        """All committed control steps."""
        return range(self.recording.n_steps)

    @property
    def real_time_factor(self) -> float | None:
        """Simulated time per wall time when it was recorded."""
        return None if self._factor is None else float(self._factor)

    def select(self, animal: int) -> None:
        """Give the spikes and weights of an animal from now on."""
        super().select(animal)
        everybody = tuple(population.name for population in self.layout.populations)
        self.unlisted = tuple(self._unlisted) if self.animal in self._listed_animals else everybody

    def rows(self, name: str, last: int, n: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Read a variable."""
        first, end = max(0, last - n + 1), min(last + 1, self.recording.n_steps)
        blocks = range(first // BLOCK_STEPS, max(0, end - 1) // BLOCK_STEPS + 1)
        joined = np.concatenate([self._rows_of(name, block) for block in blocks])
        offset = blocks.start * BLOCK_STEPS
        return np.arange(first, end), joined[first - offset : end - offset]

    def spikes(self, last: int, n: int) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
        """Read the spikes of the selected animal and keep those of the raster's neurons."""
        per_control = self.layout.steps_per_control
        first, end = max(0, last - n + 1), min(last + 1, self.recording.n_steps)
        blocks = range(first // BLOCK_STEPS, max(0, end - 1) // BLOCK_STEPS + 1)
        is_listed = len(self.unlisted) < len(self.layout.populations)
        parts = [self._spikes_of(block) for block in blocks] if is_listed else []
        step = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
        neuron = np.concatenate([np.empty(0, np.int32), *(part[1] for part in parts)])
        inside = (step > first * per_control) & (step <= end * per_control)
        return step[inside], neuron[inside]

    def weights(self, last: int) -> Mapping[str, NDArray[Any]]:
        """Read the last weights that were recorded up to the control step."""
        row = int(np.searchsorted(self._weight_steps, last, side="right")) - 1
        if row < 0:
            return {}

        def read() -> Mapping[str, NDArray[Any]]:
            names = [name for name in self.layout.weights if name in self._root["weights"]]
            return {name: np.asarray(self._root["weights"][name][row, self.animal]) for name in names}

        return _kept(self._blocks, KEPT_BLOCKS, ("weights", row, self.animal), read)

    def _rows_of(self, name: str, block: int) -> NDArray[Any]:
        def read() -> NDArray[Any]:
            begin = block * BLOCK_STEPS
            end = min(begin + BLOCK_STEPS, self.recording.n_steps)
            return np.asarray(self._root[f"behavior/{name}"][begin:end])

        return np.asarray(_kept(self._blocks, KEPT_BLOCKS, (name, block), read))

    def _spikes_of(self, block: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        def read() -> tuple[NDArray[np.int64], NDArray[np.int32]]:
            begin_s = block * BLOCK_STEPS * self.recording.interval_s
            end_s = min(begin_s + BLOCK_STEPS * self.recording.interval_s, self.recording.duration_s)
            table = self.recording.spikes(animal=self.animal, start_s=begin_s, stop_s=end_s)
            shown = self._shown[table.neuron]
            return table.step[shown], table.neuron[shown]

        key = (self.animal, block)
        kept: tuple[NDArray[np.int64], NDArray[np.int32]]
        kept = _kept(self._spike_blocks, KEPT_SPIKE_BLOCKS, key, read)
        return kept


def _kept(
    blocks: OrderedDict[tuple[Any, ...], Any], most: int, key: tuple[Any, ...], read: Callable[[], T]
) -> T:
    """Return a block, read if it is not remembered; forget the one that was not needed for longest."""
    if key not in blocks:
        blocks[key] = read()
        if len(blocks) > most:
            blocks.popitem(last=False)
    blocks.move_to_end(key)
    block: T = blocks[key]
    return block
