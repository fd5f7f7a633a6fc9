"""The command `ethospike import`: tracks of real larvae as a run folder."""

from __future__ import annotations

from pathlib import Path


def import_tracks(
    path: Path,
    /,
    *,
    out: Path | None = None,
    frames_hz: float = 16.0,
    dish_mm: float = 150.0,
) -> None:
    """Make a recording of tracks of real larvae, to be replayed, drawn and measured as model larvae are.

    Parameters
    ----------
    path
        A data.h5 of larvaworld; a .csv with columns x, y (mm from the center) and heading (rad), optionally
        bend, frame and larva; or a folder with tables in the format of the tracks that larvaworld ships, a
        file for each larva.
    out
        The recording's folder, which must not exist; by default a new one in runs/.
    frames_hz
        Frames per second.
    dish_mm
        Diameter of the dish.
    """
    from ethospike.scenarios import configuration
    from ethospike.scenarios.interop import tracks
    from ethospike.scenarios.odor.crawling import SCENARIO
    from ethospike.scenarios.run.runner import finish

    larvae = tracks.read(path, frames_hz=frames_hz)
    folder = tracks.write(larvae, out, dish_mm=dish_mm)
    settings = configuration.configure(SCENARIO, layers=[(str(path), folder.config)])
    figures = finish(SCENARIO, settings, folder)
    print(f"{len(larvae)} larvae: {folder.path}")
    for figure in figures:
        print(f"figure: {figure}")
    print(SCENARIO.conclude(folder.summary))
