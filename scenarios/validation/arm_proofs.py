"""Every arm on the tasks and on each simulator: its proof beside the intact animal, and vacuous arms refused.

Runs are small: seconds of two animals. They show that an arm acts, not what it means.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ethospike.brains.simulator import SIMULATORS, SimulatorSettings, is_installed
from ethospike.errors import EthospikeError
from ethospike.recorders.recording import open_recording
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.registry import find_scenario
from ethospike.scenarios.run.runner import run_scenario

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
        """Run it, and return the proof of the arm and the number of spikes."""
        name, settings = SCENARIOS[self.task]
        scenario = find_scenario(name)
        arms = [self.arm.format(**self.folders)] if self.arm else []
        layer = {**settings, **NO_FILES, **changes, "arm": arms}
        config = configure(scenario, layers=[("small", layer)])
        simulator = SimulatorSettings(name=self.simulator)
        config = dataclasses.replace(config, simulator=simulator)
        result = run_scenario(scenario, config, path, quiet=True, draw=False)
        proofs = list(result.folder.info.get("arms", {}).values())
        return {"proof": proofs[0] if proofs else {}, "spikes": open_recording(path).n_spikes}


def proofs(simulators: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run every arm on every task and installed simulator, and every vacuous arm on the first simulator.

    Returns
    -------
    dict
        `arms`: by task, arm and simulator the proof, the number of spikes and that of the intact animals, or
        the reason of a refusal. `vacuous`: by task and arm the error, None where there was none.
    """
    chosen = simulators or tuple(name for name in SIMULATORS if is_installed(name))
    proven: dict[str, Any] = {"simulators": list(chosen), "arms": {}, "vacuous": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for task in SCENARIOS:
            for simulator in chosen:
                _fill(proven, task, simulator, folder / task / simulator)
            proven["vacuous"][task] = _errors(task, chosen[0], folder / task / chosen[0])
    return proven


def _fill(proven: dict[str, Any], task: str, simulator: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    partners = {name: folder / name for name in (*PARTNERS, "same")}
    intact = Case(task, simulator, "", partners).run(folder / "same")
    for name, changes in PARTNERS.items():
        if task == "odor" or name == "other":
            Case(task, simulator, "", partners).run(folder / name, **changes)
    for number, arm in enumerate(ARMS[task]):
        outcome: dict[str, Any] = {"intact_spikes": intact["spikes"]}
        try:
            outcome |= Case(task, simulator, arm, partners).run(folder / f"arm {number}")
        except EthospikeError as error:
            outcome["refused"] = _without(str(error), folder)
        proven["arms"].setdefault(task, {}).setdefault(arm, {})[simulator] = outcome


def _errors(task: str, simulator: str, folder: Path) -> dict[str, str | None]:
    """Return the error of each vacuous arm of a task; None where there was none."""
    partners = {name: folder / name for name in (*PARTNERS, "same")}
    errors: dict[str, str | None] = {}
    for number, arm in enumerate(VACUOUS.get(task, ())):
        try:
            Case(task, simulator, arm, partners).run(folder / f"vacuous {number}")
            errors[arm] = None
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
