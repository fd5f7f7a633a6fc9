"""The command `ethospike`: list, run, show, plot, replay, doctor; those of sweeps are in `sweeps.py`.

In: words. Out: runs, tables, figures; for a mistake, one message on stderr and exit code 1 (2 for a mistake
in the words themselves); for a signal that stopped a run, exit code 128 plus its number: 130 for Ctrl-C. This
file knows no scenario.
"""

from __future__ import annotations

import errno
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from ethospike.errors import EthospikeError, ScenarioError
from ethospike.paths import user_path
from ethospike.recorders.format import INTERRUPTED
from ethospike.recorders.view.checks import check_display
from ethospike.recorders.view.live import LiveView
from ethospike.scenarios import configuration
from ethospike.scenarios.command import sweeps as sweep_commands
from ethospike.scenarios.run import folder as run_folder
from ethospike.scenarios.run.omissions import LEFT_OUT, say
from ethospike.scenarios.run.progress import RunProgress, clock
from ethospike.scenarios.scenario import SCENARIOS, Scenario, ScenarioConfig, find_scenario
from ethospike.scenarios.sweeps.folder import is_sweep

if TYPE_CHECKING:
    from ethospike.scenarios.run import runner

# What takes long to load (Zarr, xarray, Matplotlib) is loaded by the commands that need it.

PATH_ERRORS = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)
"""A path that cannot be, wherever it is met: figures, exports, films, benchmarks."""

OPEN_COMMANDS = ("run", "sweep", "calibrate")
"""Commands that take any field of a scenario's configuration as a flag."""
HELP_FLAGS = ("--help", "-h")
SIGNALED = 128
"""What shells add to the number of a signal to get the exit code of whom it ended."""
SHOWN = (
    *("scenario", "status", "seed", "animals", "simulator", "backend"),
    *("started", "simulated_s", "loop_wall_s", "real_time_factor", "size_mb"),
)
"""Entries of run.json that `ethospike show` prints."""

app = cyclopts.App(
    name="ethospike",
    help="Spiking brains in bodies, in closed loop, for as long as an animal experiment lasts.",
    version_flags=["--version"],
    default_parameter=Parameter(negative_iterable=()),
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `main` says that it was interrupted
)

app.command(sweep_commands.sweep, help_flags=[])  # `main` shows it
app.command(sweep_commands.calibrate, help_flags=[])
app.command(sweep_commands.task)
app.command(sweep_commands.collect)
app.command("ethospike.scenarios.command.serve:serve_brain", name="serve-brain")
app.command("ethospike.scenarios.command.imports:import_tracks", name="import")


@app.command(name="list")
def list_scenarios() -> None:
    """List the scenarios that come with ethospike."""
    table = Table("scenario", "what it is", "presets")
    for name in SCENARIOS:
        scenario = find_scenario(name)
        table.add_row(name, scenario.about, ", ".join(scenario.presets))
    Console().print(table)


@app.command(help_flags=[])  # `main` shows it
def run(
    scenario: str,
    /,
    *flags: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)],
    config: Path | None = None,
    preset: str = "",
    simulator: str = "",
    genn_backend: str = "",
    out: Path | None = None,
    quiet: bool = False,
    view: bool = False,
) -> None:
    """Run a scenario, or your own from a .py file; `ethospike run SCENARIO --help` shows all flags.

    Parameters
    ----------
    scenario
        A name from `ethospike list`, or the path of a Python file that defines SCENARIO.
    flags
        Any field of the scenario's configuration.
    config
        A TOML file with fields of the configuration, e.g. the config.toml of an earlier run.
    preset
        A named set of values of the scenario; flags and file win over it.
    simulator
        nest, numba or genn: short for --simulator.name.
    genn_backend
        auto, cuda, hip or cpu: short for --simulator.genn-backend.
    out
        The run's folder, which must not exist; by default a new one in runs/.
    quiet
        No progress.
    view
        Show the run in a window; closing the window ends the view, not the run.
    """
    from ethospike.scenarios.run import runner

    chosen = find_scenario(scenario)
    settings = configuration.from_command(
        chosen, flags, config=config, preset_name=preset, simulator=simulator, genn_backend=genn_backend
    )
    if settings is None:
        return
    if view:
        check_display(
            "run without --view and make a film of the run with `ethospike replay RUN --video FILE.mp4`"
        )
    result = runner.run_scenario(
        chosen,
        settings,
        out,
        listeners=[lambda layout: LiveView(layout, chosen.name)] if view else [],
        quiet=quiet,
    )
    _report(chosen, result)


def _report(chosen: Scenario, result: runner.RunResult) -> None:
    """Say what became of a run; end with the exit code of a signal if one stopped it."""
    info = result.folder.info
    # Of a run that was resumed, times on the wall are those since then.
    took = "simulated, the part since it was resumed in" if info.get("resumed") else "simulated in"
    print(
        f"{info['status']}: {clock(info['simulated_s'])} {took} {clock(info['loop_wall_s'])} "
        f"({info['real_time_factor']}× real time) on {info['backend']}"
    )
    print(f"recording: {result.folder.recording}")
    for path in result.figures:
        print(f"figure:    {path}")
    summary = result.folder.summary
    _tell_omissions(summary)
    # Nothing can be concluded where there are no measures: all left out, or stopped before the first step.
    sentence = chosen.conclude(summary) if set(summary) - {LEFT_OUT} else ""
    if sentence:
        print(sentence)
    if result.stopped_by is not None:
        sys.exit(SIGNALED + result.stopped_by)


def _tell_omissions(summary: dict[str, Any]) -> None:
    for what, why in summary.get(LEFT_OUT, {}).items():
        say(what, why)


@app.command
def show(path: Path, /, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Show what is in a run, a sweep or a calibration: status, size, measures.

    Parameters
    ----------
    path
        Its folder.
    as_json
        Print one JSON object instead of text.
    """
    if is_sweep(path):
        sweep_commands.show(path, as_json=as_json)
        return
    folder = run_folder.RunFolder.open(path)
    info = {**folder.info, "status": folder.status, "size_mb": round(folder.size_bytes / 1e6, 3)}
    info |= {"summary": folder.summary, "recording": _content(folder)}
    if as_json:
        print(json.dumps(info, indent=2))
        return
    table = Table(show_header=False, box=None)
    for key in SHOWN:
        table.add_row(key, str(info.get(key)))
    for key, value in info["recording"].items():
        table.add_row(f"recording: {key}", str(value))
    for key, value in info["summary"].items():
        shown = value if not isinstance(value, dict) else {k: v for k, v in value.items() if k != "animals"}
        table.add_row(f"summary: {key}", str(shown))
    Console().print(table)


def _content(folder: run_folder.RunFolder) -> dict[str, Any]:
    """Return what is in the recording of a run; nothing if the run ended before there was one."""
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


@app.command
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
        that Python code has: `to_pynapple(recording)` and `to_neo(recording)`.
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


@app.command
def plot(path: Path, /) -> None:
    """Draw the figures of a run again, from its recording, or those of a sweep, from its table.

    Parameters
    ----------
    path
        Its folder.
    """
    from ethospike.scenarios.run import runner

    if is_sweep(path):
        sweep_commands.plot(path)
        return
    folder, chosen, settings = _reopen(path)
    for figure in runner.finish(chosen, settings, folder):
        print(f"figure: {figure}")
    _tell_omissions(folder.summary)


@app.command
def resume(
    path: Path,
    /,
    *,
    workers: int = 0,
    scheduler: str = "",
    retry_failed: bool = False,
    quiet: bool = False,
) -> None:
    """Continue a run from its last checkpoint, as if it had never ended; or a sweep or a calibration.

    Parameters
    ----------
    path
        The folder of the run, the sweep or the calibration.
    workers
        Of a sweep: processes; 0 is one for each core.
    scheduler
        Of a sweep: the address of a running Dask scheduler.
    retry_failed
        Of a sweep: run tasks again that have failed.
    quiet
        No progress.
    """
    from ethospike.scenarios.run import runner

    if is_sweep(path):
        sweep_commands.resume(path, workers, scheduler, retry_failed=retry_failed, quiet=quiet)
        return
    if workers or scheduler or retry_failed:
        raise ScenarioError(f"--workers, --scheduler and --retry-failed are for sweeps; {path} is a run")
    folder, chosen, settings = _reopen(path)
    _report(chosen, runner.resume_scenario(chosen, settings, folder, quiet=quiet))


@app.command(name="recover")
def recover_run(path: Path, /) -> None:
    """Repair a broken run: cut its recording to what was committed, and say what was kept.

    Parameters
    ----------
    path
        The run's folder.
    """
    from ethospike.recorders.recover import recover

    folder = run_folder.RunFolder.open(path)
    status = folder.status
    if not folder.recording.exists() and status == INTERRUPTED:
        folder.update_info(status=status)
        print(f"{path}: {status}; it ended before anything was recorded")
        return
    recovered = recover(path, unclosed=status)
    folder.update_info(status=recovered.status, simulated_s=recovered.duration_s)
    print(recovered)


def _reopen(path: Path) -> tuple[run_folder.RunFolder, Scenario, ScenarioConfig]:
    """Return a run's folder, scenario and configuration."""
    folder = run_folder.RunFolder.open(path)
    chosen = find_scenario(folder.scenario)
    source = str(path / "config.toml")
    return folder, chosen, configuration.configure(chosen, layers=[(source, folder.config)])


validations = cyclopts.App(name="validate", result_action="return_value")
app.command(validations)
validations.command("ethospike.scenarios.validation.reach:main", name="reach")
validations.command("ethospike.scenarios.validation.networks:main", name="networks")


@validations.default
def validate_larvae(
    *,
    out: Path = Path("runs/validation"),
    simulator: str = "numba",
    animals: int = 20,
    dish_animals: int = 50,
    threads: int = 0,
    parts: tuple[str, ...] = (),
) -> None:
    """Compare the larvae with what is published about them, or with `reach` the cortex.

    The larvae take an hour on Numba; the parts that also run on NEST take hours more.

    Parameters
    ----------
    out
        Where the results go, without suffix: OUT.md and OUT.json.
    simulator
        nest, numba or genn.
    animals
        Larvae a group in the published protocols.
    dish_animals
        Larvae a group in the dish.
    threads
        Threads of the simulator; 0 leaves the choice to it.
    parts
        Only these: naive, naive_nest, groups, groups_fast, groups_published, unpaired, unpaired_fast,
        unpaired_published, acquisition, interval, learning_rate, dish, dish_fine, simulators, nest_paired,
        nest_unpaired, nest_odor_only, nest_punishment, parity, parity_cortex.
    """
    from ethospike.scenarios.validation import (
        larva_experiments as larva_validation,
    )
    from ethospike.scenarios.validation import (
        larva_report as validation,
    )

    settings = larva_validation.Settings(simulator, animals, dish_animals, threads=threads)
    print(validation.validate(out, settings, parts).read_text())


@app.command
def replay(
    path: Path,
    /,
    *,
    video: Path | None = None,
    speed: float = 1.0,
    animal: int = 0,
    start: float = 0.0,
    stop: float | None = None,
    hide: str = "",
    head_trail: bool = False,
    quiet: bool = False,
) -> None:
    """Watch a run again as it was recorded, in a window or as a film; h shows the keys.

    Parameters
    ----------
    path
        The run's folder.
    video
        Write a film to this file, .mp4 or .gif, instead of opening a window.
    speed
        Simulated time per time on the wall.
    animal
        Whose spikes and weights are shown, from 0.
    start
        Where to begin (s of simulated time).
    stop
        Where a film ends (s of simulated time); by default where the recording does.
    hide
        Panels to leave out of a film: r raster, w weights, f rates, in one word.
    head_trail
        Draw the trails of the heads in a film instead of those of the middles of the bodies.
    quiet
        No progress.
    """
    from ethospike.recorders.recording import open_recording
    from ethospike.recorders.view.checks import Excerpt

    recording = open_recording(path)
    if video is None:
        only_film = (("--stop", stop is not None), ("--hide", bool(hide)), ("--head-trail", head_trail))
        ignored = [name for name, given in only_film if given]
        if ignored:
            raise ScenarioError(
                f"{' and '.join(ignored)}: only for a film; add --video FILE.mp4 to make one "
                f"(in a window, keys hide panels)"
            )
        check_display("make a film with --video FILE.mp4")
        from ethospike.recorders.view.replay import watch

        watch(recording, Excerpt(speed, animal, start))
        return
    from ethospike.recorders.view.video import FilmStyle, write_video

    end_s = recording.duration_s if stop is None else min(stop, recording.duration_s)
    with RunProgress(video.name, max(0.0, end_s - start), quiet=quiet) as progress:
        write_video(
            recording,
            video,
            Excerpt(speed, animal, start, stop),
            FilmStyle(hidden=frozenset(hide), head_trail=head_trail),
            progress=lambda share: progress.update(share * (end_s - start)),
        )
    print(f"video: {video}")


@app.command(name="doctor")
def run_doctor(*, network: str = "") -> None:
    """Say which simulators are installed and whether they work, and what to do about those that do not.

    Parameters
    ----------
    network
        FILE:NAME of a network in a Python file: say instead which engine of the Numba simulator runs it, and
        why.
    """
    if network:
        from ethospike.scenarios.command.networks import report_engine

        report_engine(network)
        return
    from ethospike.scenarios.command import doctor

    if not doctor.report():
        sys.exit(1)


@app.command
def bench(
    *,
    out: Path = Path("runs/benchmark"),
    small: bool = False,
    long: bool = False,
    gpu: bool = False,
    scale: bool = False,
    simulators: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
) -> None:
    """Time every installed simulator on this machine, which should be idle.

    Parameters
    ----------
    out
        Where the results go, without suffix: OUT.md and OUT.json.
    small
        Tiny sizes: shows that the benchmark works, not how fast anything is.
    long
        Instead: does anything grow in a run of 30 minutes? Ten minutes on NEST.
    gpu
        Instead: what a GPU is for. A cortex of 25,000 neurons in closed loop, 100,000 neurons, 1,000 larvae.
    scale
        Instead: Numba at the published sizes, from 5,000 neurons to 3.6 million as far as memory goes, on one
        core and on all; minutes. Also OUT.png.
    simulators
        Only these; by default all that are installed, with --gpu only genn.
    kinds
        Only these tables: network, loop, scenario, with --gpu reach; by default all.
    """
    from ethospike.scenarios.bench import benchmark

    table = benchmark.run_benchmark(
        out, small=small, long=long, gpu=gpu, scale=scale, simulators=list(simulators), kinds=kinds
    )
    print(table.read_text())
    print(f"written: {table}")


def main(words: Sequence[str] | None = None) -> None:
    """Run the command; mistakes end with a message and exit code 1, not with a traceback."""
    words = sys.argv[1:] if words is None else [*words]
    try:
        if set(words[:1]) & set(OPEN_COMMANDS) and set(words) & set(HELP_FLAGS):
            app.help_print(words[:1])
            if words[1].startswith("-"):
                return  # there is no scenario that could show its flags
        app(words)
    except EthospikeError as error:
        print(f"ethospike: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in run_folder.MACHINE_ERRORS + PATH_ERRORS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"ethospike: {where}{error.strerror}; free some space, or choose a place that can be written. "
            f"What was recorded before is safe",
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        print("ethospike: interrupted", file=sys.stderr)
        sys.exit(SIGNALED + signal.SIGINT)


if __name__ == "__main__":
    main()
