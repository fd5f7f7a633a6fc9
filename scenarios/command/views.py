"""The commands that show recorded data: show, plot, export, replay."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Column, Table
from rich.text import Text

from ethospike.errors import ScenarioError
from ethospike.paths import user_path
from ethospike.recorders.view.checks import check_display
from ethospike.scenarios.command import sweeps as sweep_commands
from ethospike.scenarios.command.choices import NO_SERVING, Serving
from ethospike.scenarios.command.reports import renew_report
from ethospike.scenarios.command.runs import reopen, tell_omissions
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.progress import RunProgress
from ethospike.scenarios.sweeps.folder import is_sweep
from ethospike.scenarios.terminal import console

SHOWN = (
    *("scenario", "status", "seed", "animals", "simulator", "backend"),
    *("started", "simulated_s", "loop_wall_s", "real_time_factor", "size_mb"),
)
"""Entries of run.json that `ethospike show` prints."""


def show(path: Path, /, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Show the status, size and measures of a run, a sweep or a calibration.

    Parameters
    ----------
    path
        The folder of the run, the sweep or the calibration.
    as_json
        Print one JSON object instead of text.
    """
    if is_sweep(path):
        sweep_commands.show(path, as_json=as_json)
        return
    folder = RunFolder.open(path)
    info = {**folder.info, "status": folder.status, "size_mb": round(folder.size_bytes / 1e6, 3)}
    info |= {"summary": folder.summary, "recording": _content(folder)}
    if as_json:
        print(json.dumps(info, indent=2))
        return
    table = Table("", Column("", overflow="fold"), show_header=False, box=None)
    for key in SHOWN:
        table.add_row(key, Text(str(info.get(key))))
    for key, value in info["recording"].items():
        table.add_row(f"recording: {key}", Text(str(value)))
    for key, value in info["summary"].items():
        shown = value if not isinstance(value, dict) else {k: v for k, v in value.items() if k != "animals"}
        table.add_row(Text(f"summary: {key}"), Text(str(shown)))
    console().print(table)


def _content(folder: RunFolder) -> dict[str, Any]:
    """Return a description of a run's recording; empty if the run ended before the recording began."""
    if not folder.recording.exists():
        return {}
    from ethospike.recorders.recording import open_recording

    recording = open_recording(folder.path)
    return {
        "status": recording.status,
        "duration_s": recording.duration_s,
        "control_steps": recording.n_steps,
        "listed_spikes": recording.n_spikes,
        "size_mb": round(recording.size_bytes / 1e6, 3),
        "behavior": sorted(recording.layout.variables),
        "weights": list(recording.layout.weights),
        "voltages": folder.config.get("recorder", {}).get("voltages", []),
    }


def plot(path: Path, /) -> None:
    """Draw the figures of a run again, from its recording, or those of a sweep, from its table.

    Parameters
    ----------
    path
        The folder of the run or the sweep.
    """
    from ethospike.scenarios.run import runner

    if is_sweep(path):
        sweep_commands.plot(path)
        return
    folder, chosen, settings = reopen(path)
    for figure in runner.finish(chosen, settings, folder):
        print(f"figure: {figure}")
    renew_report(path)
    tell_omissions(folder.summary)


def export(
    path: Path, out: Path, /, *, animal: int = 0, species: str = "", sex: str = "", age: str = ""
) -> None:
    """Write an animal to a file of Neurodata Without Borders, as archives take it.

    It holds spikes, behavior, inputs and plastic weights of the animal, phases and trials.

    Parameters
    ----------
    path
        The run's folder.
    out
        A file ending in .nwb that does not exist. Needs `pip install ethospike[analysis]`, as do the exports
        in Python: `to_pynapple(recording)` and `to_neo(recording)`.
    animal
        Number of the animal, from 0.
    species
        Latin name of the animal that the simulation stands for; by default as in the run's configuration.
    sex
        M, F, U (unknown) or O (other); by default as in the run's configuration.
    age
        Age of the animal, such as P5D; by default as in the run's configuration.
    """
    from ethospike.recorders.recording import Subject, open_recording, to_nwb

    out = user_path(out)
    if out.exists():
        raise ScenarioError(f"{out} exists already; choose another file")
    recording = open_recording(path)
    if not 0 <= animal < recording.animals:
        raise ScenarioError(f"animal: expected 0 … {recording.animals - 1}, got {animal}")
    if not out.parent.is_dir():
        raise ScenarioError(f"{out}: there is no folder {out.parent}; make it, or choose another")
    if out.suffix != ".nwb":
        raise ScenarioError(f"{out}: expected a file that ends in .nwb")
    given = {name: text for name, text in (("species", species), ("sex", sex), ("age", age)) if text}
    subject = Subject(**{**recording.config.get("subject", {}), **given}) if given else None
    to_nwb(recording, out, animal=animal, subject=subject)
    print(f"written: {out}")


@Parameter(name="*")
@dataclass(frozen=True)
class Film:
    """A film of a run, instead of a window."""

    video: Path | None = None
    """Write a film to this file, .mp4 or .gif, instead of opening a window."""
    stop: float | None = None
    """End of a film (s of simulated time); by default the end of the recording."""
    hide: str = ""
    """Panels to leave out of a film: r raster, w weights, f rates, in one word."""
    head_trail: bool = False
    """Draw the trails of the heads in a film instead of those of the middles of the bodies."""

    def check_no_options(self) -> None:
        """Refuse the options of a film if a window is opened.

        Raises
        ------
        ScenarioError
        """
        options = {
            "--stop": self.stop is not None,
            "--hide": bool(self.hide),
            "--head-trail": self.head_trail,
        }
        if ignored := [name for name, given in options.items() if given]:
            raise ScenarioError(
                f"{' and '.join(ignored)}: only for a film; add --video FILE.mp4 to make one "
                f"(in a window, keys hide panels)"
            )


NO_FILM = Film()


def replay(
    path: Path,
    /,
    *,
    film: Film = NO_FILM,
    speed: float = 1.0,
    animal: int = 0,
    start: float = 0.0,
    quiet: bool = False,
) -> None:
    """Watch a run again as it was recorded, in a window or as a film; h shows the keys.

    Parameters
    ----------
    path
        The run's folder.
    film
        A film instead of a window.
    speed
        Simulated time per wall time.
    animal
        Number of the animal in the raster and the weights, from 0.
    start
        Start of the replay (s of simulated time).
    quiet
        Show no progress.
    """
    from ethospike.recorders.recording import open_recording
    from ethospike.recorders.view.checks import Excerpt

    recording = open_recording(path)
    if film.video is None:
        film.check_no_options()
        check_display(
            "make a film with --video FILE.mp4, or watch it in a browser with `ethospike view RUN --serve`"
        )
        from ethospike.recorders.view.replay import watch

        watch(recording, Excerpt(speed, animal, start))
        return
    from ethospike.recorders.view.video import FilmStyle, write_video

    end_s = recording.duration_s if film.stop is None else min(film.stop, recording.duration_s)
    with RunProgress(film.video.name, max(0.0, end_s - start), quiet=quiet) as progress:
        write_video(
            recording,
            film.video,
            Excerpt(speed, animal, start, film.stop),
            FilmStyle(hidden=frozenset(film.hide), head_trail=film.head_trail),
            progress=lambda share: progress.update(share * (end_s - start)),
        )
    print(f"video: {film.video}")


def view(
    path: Path,
    /,
    *,
    serving: Serving = NO_SERVING,
    speed: float = 1.0,
    animal: int = 0,
    start: float = 0.0,
) -> None:
    """Watch a run again in a window, or with --serve in a browser: for a cluster, or a notebook.

    Parameters
    ----------
    path
        The run's folder.
    serving
        A browser instead of a window.
    speed
        Simulated time per wall time.
    animal
        Number of the animal in the raster and the weights, from 0.
    start
        Start of the replay (s of simulated time).
    """
    from ethospike.recorders.recording import open_recording
    from ethospike.recorders.view.checks import Excerpt
    from ethospike.recorders.view.replay import watch, watch_in_browser

    recording, excerpt = open_recording(path), Excerpt(speed, animal, start)
    serving.check_no_options()
    if not serving.serve:
        check_display("add --serve to see it in a browser")
        watch(recording, excerpt)
        return
    # Ctrl-C is one of the two ways to end it.
    with suppress(KeyboardInterrupt):
        watch_in_browser(recording, excerpt, serving.listening(), opened=_tell_address)
    print("the view has ended")


def _tell_address(address: str) -> None:
    print(f"watch it at {address}\nq in the view, or Ctrl-C here, ends it", flush=True)
