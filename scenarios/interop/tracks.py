"""Tracks of real larvae as recordings: replayed, drawn and measured as model larvae are.

Three kinds of files are read: the HDF5 files of larvaworld's data sets (`data.h5`), the tables of the tracker
that larvaworld ships (a file for each larva, no header, 12 points along the midline), and CSV files with the
columns x, y and heading.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.envs.odor_arena import ArenaConfig, Phase
from ethospike.envs.odor_arena.env import VARIABLES
from ethospike.envs.odor_arena.physics import BODY_LENGTH_MM
from ethospike.envs.odor_arena.scene import ArenaScene
from ethospike.errors import AnalysisNotInstalled, ScenarioError, nearest
from ethospike.paths import expanded
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recorder import Layout, StepRecord, Variable
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.analysis.locomotion import Track
from ethospike.scenarios.odor import crawling
from ethospike.scenarios.odor.crawling_measures import CrawlingConfig
from ethospike.scenarios.run.folder import RUNNING, RunFolder
from ethospike.scenarios.run.layout import variables_layout
from ethospike.scenarios.run.provenance import provenance

FRAMES_HZ = 16.0
"""Frames a second of the tracks that larvaworld ships (its configuration of the Schleyer format)."""
DISH_MM = 150.0
"""Diameter of their dish (mm), from the same place."""
TABLE_COLUMNS = 78
"""Columns of the tracker's tables: frame, 12 midline and 22 contour points, centroid, 7 measures of the blob.
Points run from the tail to the head (doi 10.12751/g-node.5e1ifd); the last column marks contact."""
MIDLINE_POINTS = 12
FRONT, REAR = (1, 5), (7, 11)
"""Points, from the head, between which the front and the rear of the body point (larvaworld: front_vector
(2, 6) and rear_vector (−5, −1), counted from 1)."""
MIDDLE = (5, 6)
"""Points on both sides of the middle of the body."""
DT_MS = 0.5
"""Length of a simulation step (ms) by which a recording counts time; an interval of 62.5 ms has 125."""


@dataclass(frozen=True)
class Tracked:
    """A tracked larva.

    Parameters
    ----------
    name : str
    track : Track
    head_mm : ndarray, shape (samples, 2)
    """

    name: str
    track: Track
    head_mm: NDArray[np.floating]


def read(path: Path, *, frames_hz: float = FRAMES_HZ) -> list[Tracked]:
    """Return the larvae of a file, or of all tables in a folder and the folders in it.

    Raises
    ------
    ScenarioError
        When there are no larvae, or a file has another form.
    AnalysisNotInstalled
        When PyTables is absent, for HDF5.
    """
    path = expanded(path)
    if not path.exists():
        raise ScenarioError(f"{path}: there is no such file or folder")
    if not 0 < frames_hz < float("inf"):
        raise ScenarioError(f"frames_hz: expected above 0, got {frames_hz}")
    files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise ScenarioError(f"{path}: expected a folder with .csv files, found none in it")
    if path.suffix in (".h5", ".hdf5"):
        return _of_larvaworld(path, 1.0 / frames_hz)
    root = path if path.is_dir() else path.parent
    larvae: list[Tracked] = []
    for file in files:
        larvae += _of_table(file, file.relative_to(root).with_suffix("").as_posix(), 1.0 / frames_hz)
    return larvae


def _of_table(file: Path, name: str, interval_s: float) -> list[Tracked]:
    """Return the larva of a table of the tracker, or the larvae of a CSV file with a header."""
    try:
        with file.open(encoding="utf-8-sig") as lines:
            first = lines.readline()
        if any(character.isalpha() for character in first):
            return _of_csv(file, first, name, interval_s)
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: cannot be read ({error})") from None
    table = _numbers(file)
    if table.shape[1] != TABLE_COLUMNS or not len(table):
        raise ScenarioError(
            f"{file}: expected a header with x, y and heading, or {TABLE_COLUMNS} columns of the tracker, "
            f"got {table.shape[1]} columns without a header"
        )
    table = _at_frames(table[:, 0], table)
    table[table[:, -1] > 0.0] = np.nan  # in contact with another larva
    midline = table[:, 1 : 1 + 2 * MIDLINE_POINTS].reshape(-1, MIDLINE_POINTS, 2)[:, ::-1]
    return [tracked(name, midline, interval_s)]


def _numbers(file: Path, skip_header: int = 0) -> NDArray[np.float64]:
    """Return the rows of a table of numbers; NaN for entries that are not numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of an empty table: the caller has a better message
        try:
            rows: NDArray[np.float64]
            rows = np.genfromtxt(file, delimiter=",", skip_header=skip_header, ndmin=2, encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise ScenarioError(f"{file}: cannot be read as a table of numbers ({error})") from None
    return rows


def tracked(name: str, midline_mm: NDArray[np.floating], interval_s: float) -> Tracked:
    """Return a larva by the 12 points of its midline, from the head, shape (samples, 12, 2)."""
    front, rear = (midline_mm[:, a] - midline_mm[:, b] for a, b in (FRONT, REAR))
    heading, behind = (np.arctan2(vector[:, 1], vector[:, 0]) for vector in (front, rear))
    bend = np.angle(np.exp(1j * (heading - behind)))
    length_mm = float(np.nanmedian(np.hypot(*np.diff(midline_mm, axis=1).transpose(2, 0, 1)).sum(axis=1)))
    middle = midline_mm[:, list(MIDDLE)].mean(axis=1)
    return Tracked(name, Track(interval_s, middle, heading, bend, length_mm), midline_mm[:, 0])


def _at_frames(frame: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a row for each frame from the first to the last, NaN for frames without the larva."""
    number = (frame - frame[0]).astype(np.int64)
    if (np.diff(number) < 1).any():
        raise ScenarioError("frames of a track: expected each later than the one before")
    rows = np.full((number[-1] + 1, table.shape[1]), np.nan)
    rows[number] = table
    return rows


def _of_csv(file: Path, header: str, name: str, interval_s: float) -> list[Tracked]:
    """Return the larvae of a CSV file with the columns x, y, heading, and optionally bend, frame, larva.

    x and y are in mm from the center of the dish, angles in radians.
    """
    columns = [column.strip().lower() for column in header.strip().split(",")]
    missing = [column for column in ("x", "y", "heading") if column not in columns]
    if missing:
        raise ScenarioError(
            f"{file}: expected columns x, y, heading; no {missing[0]!r}, {nearest(missing[0], columns)}"
        )
    rows = _numbers(file, skip_header=1)
    if not rows.size or rows.shape[1] != len(columns):
        raise ScenarioError(f"{file}: expected rows of {len(columns)} numbers below the header")
    by_name = dict(zip(columns, rows.T, strict=True))
    larva = by_name.get("larva", np.zeros(len(rows)))
    larvae = []
    for number in np.unique(larva):
        of_larva = rows[larva == number]
        frame = of_larva[:, columns.index("frame")] if "frame" in columns else np.arange(float(len(of_larva)))
        seen = dict(zip(columns, _at_frames(frame, of_larva).T, strict=True))
        middle = np.stack((seen["x"], seen["y"]), axis=1)
        heading = seen["heading"]
        bend = seen.get("bend", np.where(np.isfinite(heading), 0.0, np.nan))
        ahead = BODY_LENGTH_MM / 2.0 * np.stack((np.cos(heading), np.sin(heading)), axis=1)
        label = f"{name}/{number:g}" if "larva" in columns else name
        larvae.append(Tracked(label, Track(interval_s, middle, heading, bend), middle + ahead))
    return larvae


def _of_larvaworld(file: Path, interval_s: float) -> list[Tracked]:
    """Return the larvae of a `data.h5`: its tables `midline` (m) or `angular` and `base_spatial`."""
    try:
        pandas: Any = importlib.import_module("pandas")
        importlib.import_module("tables")
    except ImportError:
        raise AnalysisNotInstalled(
            "tracks in HDF5 need PyTables; install it by `pip install 'ethospike[tracks]'`"
        ) from None

    def table(key: str) -> Any:
        try:
            return pandas.read_hdf(file, key)
        except KeyError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ScenarioError(f"{file}: cannot be read as a data set of larvaworld ({error})") from None

    midline = table("midline")
    if midline is None or midline.shape[1] != 2 * MIDLINE_POINTS:
        raise ScenarioError(
            f"{file}: expected a data set of larvaworld with a table 'midline' of {MIDLINE_POINTS} points"
        )
    larvae = []
    for name, of_larva in midline.groupby(level="AgentID"):
        points = of_larva.droplevel("AgentID").sort_index()
        values = _at_frames(points.index.to_numpy(float), points.to_numpy(float))
        if np.isfinite(values).any():
            larvae.append(tracked(str(name), 1000.0 * values.reshape(-1, MIDLINE_POINTS, 2), interval_s))
    return larvae


# -- the recording ------------------------------------------------------------------------------------------


def write(larvae: Sequence[Tracked], path: Path | None, *, dish_mm: float = DISH_MM) -> RunFolder:
    """Make a run folder of tracks, as if the scenario `crawling` had recorded them; return it.

    Tracks of different lengths begin together; positions after the end of a track are NaN.

    Raises
    ------
    ScenarioError
        When there is no larva, or the tracks have different intervals.
    RunFolderError
        When the folder exists or cannot be written.
    """
    intervals = {larva.track.interval_s for larva in larvae}
    if len(intervals) != 1:
        raise ScenarioError(
            f"tracks: expected at least one, all at one interval, got intervals {sorted(intervals)}"
        )
    interval_ms = 1000.0 * intervals.pop()
    arrays = _arrays(larvae)
    n_steps, n = arrays["heading_rad"].shape
    config = CrawlingConfig(
        animals=n,
        control_interval_ms=interval_ms,
        dt_ms=DT_MS,
        minutes=n_steps * interval_ms / 60_000.0,
        dish_diameter_mm=dish_mm,
    )
    arena = ArenaConfig((Phase("tracked", crawling.duration_s(config)),), dish_diameter_mm=dish_mm)
    names = ("position_mm", "centroid_mm", "heading_rad", "bend_rad", "phase")
    layout = Layout(
        animals=n,
        dt_ms=DT_MS,
        control_interval_ms=interval_ms,
        steps_per_control=round(interval_ms / DT_MS),
        variables={
            **variables_layout({name: VARIABLES[name] for name in names}),
            "length_mm": Variable("mm", "length of the body"),
        },
        phases=("tracked",),
        scene=ArenaScene(arena, range(n)).plain(),
    )
    folder = RunFolder.create(path) if path else RunFolder.create_named("tracks")
    with folder.writing():
        folder.write_config(config)
        folder.update_info(
            scenario=crawling.SCENARIO.name,
            scenario_file=None,
            seed=config.seed,
            animals=n,
            simulator="none",
            backend="tracked larvae",
            larvae=[larva.name for larva in larvae],
            status=RUNNING,
            **provenance(),
        )
        with ZarrRecorder(folder.recording, layout, RecorderConfig(writer="inline")) as recorder:
            for step in range(n_steps):
                recorder.record(StepRecord(step, {name: values[step] for name, values in arrays.items()}))
        folder.update_info(status="complete", simulated_s=n_steps * interval_ms / 1000.0)
    return folder


def _arrays(larvae: Sequence[Tracked]) -> dict[str, NDArray[Any]]:
    """Return the variables of a recording, each of shape (steps, animals, …)."""
    n_steps = max(len(larva.track.heading_rad) for larva in larvae)

    def filled(values: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
        joined = np.full((n_steps, len(values), *values[0].shape[1:]), np.nan, np.float32)
        for animal, of_animal in enumerate(values):
            joined[: len(of_animal), animal] = of_animal
        return joined

    lengths = np.array([larva.track.length_mm for larva in larvae], np.float32)
    return {
        "position_mm": filled([larva.head_mm for larva in larvae]),
        "centroid_mm": filled([larva.track.centroid_mm for larva in larvae]),
        "heading_rad": filled([larva.track.heading_rad for larva in larvae]),
        "bend_rad": filled([larva.track.bend_rad for larva in larvae]),
        "length_mm": np.broadcast_to(lengths, (n_steps, len(larvae))),
        "phase": np.zeros((n_steps, len(larvae)), np.int32),
    }
