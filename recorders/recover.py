"""Repair of a recording that was not closed, after which any Zarr reader sees its committed rows only.

Every array is cut to its committed rows, which are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

from ethospike.errors import RecordingError
from ethospike.paths import user_path
from ethospike.recorders.format import INTERRUPTED, LENGTH, SPIKES
from ethospike.recorders.lock import WriterLock
from ethospike.recorders.recording import find_recording, open_recording
from ethospike.recorders.zarr_recorder.store import DurableStore, remove_partials
from ethospike.recorders.zarr_recorder.writer import all_arrays


@dataclass(frozen=True)
class Recovery:
    """Report of a repair.

    Parameters
    ----------
    path : Path
    status : str
        How the run ended; `interrupted` if it ended without closing.
    steps, spikes : int
        Control steps and listed spikes that were kept: all that had been committed.
    duration_s : float
        Recorded time that was kept.
    cut : mapping of str to int
        Rows beyond the committed ones that were taken off, by array; empty for a sound recording.
    """

    path: Path
    status: str
    steps: int
    spikes: int
    duration_s: float
    cut: dict[str, int]

    def __str__(self) -> str:
        kept = f"{self.steps} control steps ({self.duration_s:g} s) and {self.spikes} spikes"
        done = f"{len(self.cut)} arrays were cut to them" if self.cut else "nothing had to be repaired"
        return f"{self.path}: {self.status}; kept {kept}; {done}"


def recover(path: str | Path, *, unclosed: str = INTERRUPTED) -> Recovery:
    """Cut every array of a recording to its committed rows, and mark a run that was not closed.

    Parameters
    ----------
    path : path-like
        The folder of a run, or its recording.
    unclosed : str
        The status of a recording that was not closed, where it is known better how the run ended.

    Raises
    ------
    RecordingError
        When there is no recording, when it is being written, or when a committed chunk is missing.
    """
    root = find_recording(user_path(path))
    lock = WriterLock(root)
    try:
        before = open_recording(root)
        remove_partials(root)
        for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
            if not any(folder.iterdir()):
                folder.rmdir()  # made just before the crash
        status = unclosed if before.stored_status == "running" else before.stored_status
        store = DurableStore(root)
        group = zarr.open_group(store, mode="r+", zarr_format=3)
        counters: dict[str, Any] = dict(group.attrs)
        cut: dict[str, int] = {}
        for name, array in all_arrays(group):
            grows = array.attrs.get(LENGTH)
            length = int(counters.get(str(grows), array.shape[0]))
            # An array that does not grow is vouched for by the first commit, as it has no counter.
            if grows is not None or before.n_steps:
                _check_chunks(root / name, array, length)
            if array.shape[0] > length:
                cut[name] = array.shape[0] - length
                array.resize((length, *array.shape[1:]))
        store.sync()
        if status != before.stored_status:
            group.attrs.update({"status": status})
            store.sync()
        return Recovery(root, status, before.n_steps, int(counters[SPIKES]), before.duration_s, cut)
    finally:
        lock.release()


def _check_chunks(folder: Path, array: Any, length: int) -> None:
    """Raise if a committed chunk is not there; every one was written, even those that hold only zeros."""
    chunk, others = array.chunks[0], ".0" * (array.ndim - 1)
    for i in range(-(-length // chunk)):
        if not (folder / f"c.{i}{others}").is_file():
            raise RecordingError(
                f"{folder} is damaged: rows {i * chunk} … {min(length, (i + 1) * chunk) - 1} are missing "
                f"although they had been written; was a part of the recording not copied?"
            )
