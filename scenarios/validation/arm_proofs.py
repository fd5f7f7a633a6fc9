"""Every arm on the tasks and on each simulator: its proof beside the intact animal, and vacuous arms refused.

Runs are small: seconds of two animals. They show that an arm acts, not what it means.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from ethospike.brains.simulator import SIMULATORS, SimulatorSettings, is_installed
from ethospike.errors import EthospikeError, RunFolderError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.files import to_plain
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.run.runner import run_scenario
from ethospike.scenarios.run.signals import RunStopped

NO_FILES: dict[str, Any] = {"animals": 2, "checkpoint_every_s": 0.0, "recorder": {"writer": "inline"}}
ODOR: dict[str, Any] = {"cycles": 1, "odor_s": 4.0, "blank_s": 4.0, "gap_s": 1.0, "test_s": 3.0}
REACH: dict[str, Any] = {
    "minutes": 0.1,
    "reacher": {"cortex": {"n_e": 240, "n_i": 60}, "threshold": 0.25},
}
"""So small a cortex hardly prefers a direction: a quarter of the activity decides."""
REWARD: dict[str, Any] = {"env": "CartPole-v1", "agent": "actor-critic", "episodes": 4}
SCENARIOS = {
    "odor": ("odor-conditioning", ODOR),
    "reach": ("delayed-reach", REACH),
    "reward": ("reward-learning", REWARD),
}
PARTNERS: dict[str, dict[str, Any]] = {"other": {"seed": 5}, "unpaired": {"group": "unpaired"}}
"""Changes of the runs to which arms refer, by the name that stands for their folder."""
ARMS = {
    "odor": (
        *("sham", "silence KC phase=test", "silence APL outputs", "shuffle PN>KC"),
        "shuffle PN>KC matched calibration_s=6.0 calibration_animals=4",
        *("freeze", "set KC q_sfa=0", "cut-loop", "cut-loop actions_of={other}"),
        *("yoked senses {other}", "yoked reward {unpaired}"),
    ),
    "reach": (
        *("sham", "silence E.cluster[0]", "silence E.cluster[0] outputs", "shuffle E>E", "set E t_ref=4"),
        "shuffle E>E matched calibration_s=3.0 calibration_animals=2",
        *("cut-loop", "cut-loop actions_of={other}", "yoked senses {other}"),
    ),
    "reward": ("sham", "freeze", "gate-off", "shuffle-modulation", "silence actor[0:4]", "cut-loop"),
}
VACUOUS = {
    "odor": (
        *("silence KC from_s=600.0", "silence DANn", "shuffle KC>APL", "shuffle KC>APL matched"),
        *("set KC q_sfa=0.02", "cut-loop actions_of={same}", "yoked senses {same}", "yoked reward {other}"),
        *("gate-off", "shuffle-modulation"),
    ),
    "reach": ("freeze", "silence E.cluster[0] phase=test", "yoked reward {same}", "set E t_ref=5"),
}
"""Arms that would leave the animals as they are: all must be refused, or fail with their run kept."""


@dataclass(frozen=True)
class Case:
    """A small run: its task, its simulator, its arm, and the folders to which arms refer."""

    task: str
    simulator: str
    arm: str
    folders: Mapping[str, Path]

    def run(self, path: Path, **changes: Any) -> dict[str, Any]:
        """Return the proof of the arm and the number of spikes; the run is made unless it is there."""
        name, settings = SCENARIOS[self.task]
        scenario = find_scenario(name)
        arms = [self.arm.format(**self.folders)] if self.arm else []
        layer = {**settings, **NO_FILES, **changes, "arm": arms}
        config = configure(scenario, layers=[("small", layer)])
        simulator = SimulatorSettings(name=self.simulator)
        config = dataclasses.replace(config, simulator=simulator)
        if not _is_complete(path, config):
            shutil.rmtree(path, ignore_errors=True)
            run_scenario(scenario, config, path, quiet=True, draw=False).complete_summary()
        proofs = list(RunFolder.open(path).info.get("arms", {}).values())
        return {"proof": proofs[0] if proofs else {}, "spikes": open_recording(path).n_spikes}


def _is_complete(path: Path, config: Any) -> bool:
    """Return whether a folder holds a complete run of a configuration."""
    try:
        folder = RunFolder.open(path)
        same = folder.config == tomllib.loads(tomli_w.dumps(to_plain(config)))
        return same and folder.status == "complete"
    except RunFolderError:
        return False


def proofs(simulators: tuple[str, ...] = (), folder: Path | None = None) -> dict[str, Any]:
    """Run every arm on every task and installed simulator, and every vacuous arm on the first simulator.

    Parameters
    ----------
    simulators : tuple of str
        All that are installed, if empty.
    folder : Path, optional
        Where runs are kept; those that are there are not made again. A temporary folder by default.

    Returns
    -------
    dict
        `arms`: by task, arm and simulator the proof, the number of spikes and that of the intact animals, or
        the reason of a refusal. `vacuous`: by task and arm the error, None where there was none.
    """
    chosen = simulators or tuple(name for name in SIMULATORS if is_installed(name))
    proven: dict[str, Any] = {"simulators": list(chosen), "arms": {}, "vacuous": {}}
    with contextlib.ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for task in SCENARIOS:
            for simulator in chosen:
                _fill(proven, task, simulator, folder / task / simulator)
            proven["vacuous"][task] = _errors(task, chosen[0], folder / task / chosen[0])
    return proven


def _fill(proven: dict[str, Any], task: str, simulator: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partners = {name: folder / name for name in (*PARTNERS, "same")}
    columns = [proven["arms"].setdefault(task, {}).setdefault(arm, {}) for arm in ARMS[task]]
    try:
        intact = Case(task, simulator, "", partners).run(folder / "same")
    except RunStopped:
        raise
    except EthospikeError as error:  # a simulator that cannot run the task has no arms on it
        for column in columns:
            column[simulator] = {"refused": _without(str(error), folder)}
        return
    for name, changes in PARTNERS.items():
        if task == "odor" or name == "other":
            Case(task, simulator, "", partners).run(folder / name, **changes)
    for number, (arm, column) in enumerate(zip(ARMS[task], columns, strict=True)):
        outcome: dict[str, Any] = {"intact_spikes": intact["spikes"]}
        try:
            outcome |= Case(task, simulator, arm, partners).run(folder / f"arm {number}")
        except RunStopped:
            raise
        except EthospikeError as error:
            outcome["refused"] = _without(str(error), folder)
        column[simulator] = outcome


def _errors(task: str, simulator: str, folder: Path) -> dict[str, str | None]:
    """Return the error of each vacuous arm of a task; None where there was none."""
    partners = {name: folder / name for name in (*PARTNERS, "same")}
    errors: dict[str, str | None] = {}
    for number, arm in enumerate(VACUOUS.get(task, ())):
        try:
            Case(task, simulator, arm, partners).run(folder / f"vacuous {number}")
            errors[arm] = None
        except RunStopped:
            raise
        except EthospikeError as error:
            errors[arm] = _without(str(error), folder)
    return errors


def _without(message: str, folder: Path) -> str:
    return message.replace(f"{folder}/", "").split(". The run is kept")[0]


def to_markdown(proven: Mapping[str, Any]) -> str:
    """Return the proofs and the refusals as tables."""
    simulators = proven["simulators"]
    lines = [
        "Touched: neurons, synapses, values or control steps, of two animals; then spikes of the run, and of "
        "the intact animals.",
        "",
        f"| task | arm | {' | '.join(simulators)} |",
        "|---|---|" + "---|" * len(simulators),
    ]
    for task, arms in proven["arms"].items():
        for arm, outcomes in arms.items():
            cells = (_shown(outcomes[name]) for name in simulators)
            lines.append(f"| {task} | `{arm}` | {' | '.join(cells)} |")
    lines += ["", "Arms that would change nothing:", "", "| task | arm | error |", "|---|---|---|"]
    for task, errors in proven["vacuous"].items():
        lines += [f"| {task} | `{arm}` | {_cell(error or 'NONE')} |" for arm, error in errors.items()]
    return "\n".join(lines) + "\n"


def _shown(outcome: Mapping[str, Any]) -> str:
    if "refused" in outcome:
        return f"refused: {_cell(outcome['refused'])}"
    return f"{outcome['proof'].get('touched', 0):,}; {outcome['spikes']:,} / {outcome['intact_spikes']:,}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
