"""Data of the player in a page: paths, raster, lines over time, phases; thinned to a fixed size.

Everything is read from the recording alone, array by array, so that a long run is not loaded as a whole.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.scene import Map, Scene, scene_of
from ethospike.errors import EthospikeError
from ethospike.recorders.format import PHASE
from ethospike.recorders.recorder import Layout
from ethospike.recorders.recording import Recording
from ethospike.recorders.recording.tables import phase_columns
from ethospike.scenarios.report.packing import differences, packed, scaled
from ethospike.scenarios.report.traces import panels

PATH_POINTS = 160_000
"""Positions in a page, of all animals together: half a megabyte."""
FEWEST_POINTS = 400
"""Positions of each animal at least; of large groups, some animals are left out."""
RASTER_ROWS = 400
"""Neurons in a raster, as many as it has lines of pixels; of more, every k-th of each population."""
RASTER_BITS = 16_000_000
"""Bins × neurons at most, before compression."""
RASTER_TEXT = 1_400_000
"""Characters of a packed raster at most."""
SPIKES_AT_ONCE = 5_000_000
"""Spikes that are read at a time."""
MOST_SPIKES = 150_000_000
"""Spikes, of all animals, up to which a raster is made: reading more takes longer than anybody waits."""
MOST_PHASES = 3_000
WINDOW_S = 10.0
"""Length of the raster's time axis without a scene (s), as in a view."""
SHORTEST_BIN_MS = 1.0


def player_data(recording: Recording, animal: int | None = None) -> dict[str, Any] | None:
    """Return the data of the player; None if nothing was recorded.

    Parameters
    ----------
    recording : Recording
    animal : int, optional
        The animal of raster and lines; by default the first with listed spikes.
    """
    if not recording.n_steps:
        return None
    chosen = next(iter(recording.listed_animals), 0) if animal is None else animal
    scene = _scene(recording.layout)
    data = {
        "duration_s": recording.duration_s,
        "interval_s": recording.interval_s,
        "animal": chosen,
        "animals": recording.animals,
        "window_s": WINDOW_S if scene is None else scene.window_s,
        "phases": phases(recording, chosen),
        "map": None if scene is None else path_map(recording, scene, chosen),
        "raster": raster(recording, chosen),
        "panels": panels(recording, chosen),
    }
    return data if data["map"] or data["raster"] or data["panels"] else None


def _scene(layout: Layout) -> Scene | None:
    """Return the scene of a recording; None for one that is unknown here, or damaged."""
    try:
        return scene_of(layout.scene) if layout.scene.get("kind") else None
    except (EthospikeError, KeyError, TypeError, ValueError):
        return None


def phases(recording: Recording, animal: int) -> list[tuple[float, float, str]]:
    """Return begin (s), end (s) and name of each phase of an animal; none where there are too many."""
    layout = recording.layout
    if PHASE not in layout.variables or not layout.phases:
        return []
    phase = np.asarray(_rows(recording, PHASE)[:, animal : animal + 1])
    columns = phase_columns(phase, at_end=layout.phase_at_end)
    names = [*layout.phases, ""]
    rows = [
        (float(start * recording.interval_s), float(stop * recording.interval_s), names[int(number)])
        for start, stop, number in zip(
            columns["start_step"], columns["stop_step"], columns[PHASE], strict=True
        )
    ]
    return rows if len(rows) <= MOST_PHASES else []


def path_map(recording: Recording, scene: Scene, animal: int) -> dict[str, Any] | None:
    """Return the world from above with the paths of the animals; None for a world without places."""
    world = scene.map()
    if world is None:
        return None
    name = next((path for path in world.paths if path in recording.layout.variables), None)
    if name is None:
        return None
    shown = sorted({animal, *range(min(recording.animals, PATH_POINTS // FEWEST_POINTS))})
    stride = max(1, -(-recording.n_steps * len(shown) // PATH_POINTS))
    position = np.array(_rows(recording, name)[::stride][:, shown], float)
    flip = np.array([_side(world, number) for number in shown])
    position[..., 0] *= flip
    # A path is broken where an animal was put elsewhere.
    moved = np.hypot(*np.moveaxis(np.diff(position, axis=0), -1, 0))
    position[1:][moved > scene.farthest_mm(stride * recording.interval_s)] = np.nan
    half = world.half_width_mm
    points = scaled(np.moveaxis(position, 0, -1), -half, half)
    return {
        "half_width_mm": half,
        "is_round": world.is_round,
        "marks": [vars(mark) for mark in world.marks],
        "animals": [int(number) for number in shown],
        "phase": _packed_variable(recording, PHASE, animal, stride),
        "highlighted": _packed_variable(recording, world.highlighted, animal, stride),
        "n_points": len(position),
        "point_s": stride * recording.interval_s,
        "trail_s": scene.trail_s,
        "variable": name,
        "points": packed(differences(points)),
    }


def _side(world: Map, animal: int) -> float:
    return -1.0 if animal < len(world.mirrored) and world.mirrored[animal] else 1.0


def _packed_variable(recording: Recording, name: str, animal: int, stride: int) -> str:
    """Return an integer variable of an animal, thinned; empty if it was not recorded."""
    if name not in recording.layout.variables:
        return ""
    return packed(np.asarray(_rows(recording, name)[::stride][:, animal]).astype(np.int16))


def raster(recording: Recording, animal: int) -> dict[str, Any] | None:
    """Return the listed spikes of an animal as a bit for each neuron and bin of time.

    Bins are as short as the size of a page allows. None if no spikes of the animal were listed, or too many.
    """
    populations = [p for p in recording.layout.populations if p.name in recording.listed_populations]
    if not populations or animal not in recording.listed_animals or recording.n_spikes > MOST_SPIKES:
        return None
    neurons = sum(population.size for population in populations)
    stride = max(1, -(-neurons // RASTER_ROWS))
    row_of = np.full(max(p.start + p.size for p in populations), -1, np.int64)
    bands, n_rows = [], 0
    for population in populations:
        chosen = np.arange(population.start, population.start + population.size, stride)
        row_of[chosen] = n_rows + np.arange(len(chosen))
        bands.append({"name": population.name, "size": population.size, "rows": len(chosen)})
        n_rows += len(chosen)
    n_steps = recording.n_steps * recording.steps_per_control
    bin_steps = max(1, round(SHORTEST_BIN_MS / recording.dt_ms))
    while -(-n_steps // bin_steps) * n_rows > RASTER_BITS:
        bin_steps *= 2
    bits = _binned(recording, animal, row_of, n_rows, bin_steps)
    while len(text := packed(np.packbits(bits, axis=1))) > RASTER_TEXT:
        bin_steps, bits = 2 * bin_steps, _halved(bits)
    return {
        "bands": bands,
        "stride": stride,
        "bin_s": bin_steps * recording.dt_ms / 1000.0,
        "n_bins": bits.shape[1],
        "row_bytes": -(-bits.shape[1] // 8),
        "bits": text,
    }


def _binned(
    recording: Recording, animal: int, row_of: NDArray[np.int64], n_rows: int, bin_steps: int
) -> NDArray[np.bool_]:
    """Return True where a neuron fired in a bin, shape (rows, bins)."""
    n_steps = recording.n_steps * recording.steps_per_control
    bits = np.zeros((n_rows, -(-n_steps // bin_steps)), bool)
    pieces = max(1, -(-recording.n_spikes // SPIKES_AT_ONCE))
    ends_s = np.linspace(0.0, recording.duration_s, pieces + 1)
    for begin_s, end_s in pairwise(ends_s.tolist()):
        spikes = recording.spikes(animal=animal, start_s=begin_s, stop_s=end_s)
        rows = row_of[spikes.neuron]
        kept = rows >= 0
        bits[rows[kept], (spikes.step[kept] - 1) // bin_steps] = True
    return bits


def _halved(bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bins of twice the length."""
    if bits.shape[1] % 2:
        bits = np.pad(bits, ((0, 0), (0, 1)))
    return np.asarray(bits.reshape(len(bits), -1, 2).any(axis=2))


def _rows(recording: Recording, name: str) -> NDArray[Any]:
    """Return all rows of a variable, shape (control steps, animals, …)."""
    root: Any = recording.to_zarr()
    return np.asarray(root[f"behavior/{name}"][:])
