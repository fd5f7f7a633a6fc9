"""Control arms of the package's tasks: experiments, and every arm in small, for docs/validation.md.

    ethospike validate arms --out docs/validation_arms

Each experiment is a folder inside OUT, which a second call of the same command continues. Results are written
as OUT.json and as tables in OUT.md.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ethospike.brains.simulator import SimulatorSettings
from ethospike.errors import ScenarioError
from ethospike.paths import expanded
from ethospike.scenarios.experiments.comparison import FEWEST_ANIMALS, Design, require_statistics
from ethospike.scenarios.experiments.experiment import Experiment, scenario_of
from ethospike.scenarios.experiments.results import Results, results_of
from ethospike.scenarios.run.files import make_folder, to_plain
from ethospike.scenarios.run.provenance import command_of
from ethospike.scenarios.sweeps.folder import Sweep, is_sweep
from ethospike.scenarios.sweeps.task import run_task
from ethospike.scenarios.validation import arm_proofs
from ethospike.scenarios.validation.parts import Validation, run_parts

ODOR = Experiment(
    "odor-conditioning",
    groups={
        "intact": {},
        "sham": {"arm": "sham"},
        "KC silenced": {"arm": "silence KC"},
        "APL silenced": {"arm": "silence APL"},
        "KC>MBON frozen": {"arm": "freeze"},
        "PN>KC shuffled": {"arm": "shuffle PN>KC"},
        "PN>KC shuffled, matched": {"arm": "shuffle PN>KC matched"},
        "unpaired": {"group": "unpaired"},
        "yoked reward": {"arm": "yoked reward group:unpaired"},
    },
    config={
        **{"cycles": 1, "odor_s": 120.0, "blank_s": 120.0, "transfer_s": 30.0},
        **{"gap_s": 60.0, "test_s": 120.0},
    },
    comparisons=(
        *(
            (group, "intact")
            for group in (
                *("sham", "KC silenced", "APL silenced", "KC>MBON frozen", "PN>KC shuffled"),
                *("PN>KC shuffled, matched", "unpaired", "yoked reward"),
            )
        ),
        ("yoked reward", "unpaired"),
    ),
    measures=(
        *("preference_first_20_s", "preference_index", "dan_hz_in_training"),
        *("final_weight_KC>MBONn_ns", "kc_active n-amylacetate"),
    ),
)
"""Two minutes of an odor with reward, as published, two without either, and a test in the dish, with 30 s of
transfer after each part (its eligibility is over then). The yoked larvae have the odor of the intact ones and
the reward of the unpaired ones: as much of both, but never together."""
REACH = Experiment(
    "delayed-reach",
    groups={
        "intact": {},
        "sham": {"arm": "sham"},
        "cluster of target 0 silenced": {"arm": "silence E.cluster[0]"},
        "E>E shuffled": {"arm": "shuffle E>E"},
    },
    config={"minutes": 4.0, "reacher": {"direction_clusters": list(range(6))}},
    measures=(
        *(f"conditions.{cued}.hand_correct" for cued in (1, 2, 3)),
        *(f"targets.{target}.hand_correct" for target in range(6)),
    ),
)
"""Four minutes of trials; in every animal cluster 0 gets the cue of target 0 and stands for its direction.
Shuffled E>E synapses keep their weights, so that strong ones no longer join the neurons of a cluster."""
SPARSE = Experiment(
    "odor-conditioning",
    groups={
        "intact": {},
        "APL silenced": {"arm": "silence APL"},
        "no adaptation": {"arm": "set KC q_sfa=0"},
        "neither": {"arm": "silence APL + set KC q_sfa=0"},
    },
    preset="sparse-coding-2021",
    config={
        **{"group": "odor-only", "odor_a": "narrow1", "cycles": 1, "blank_first": True},
        **{"blank_s": 2.0, "odor_s": 2.0, "gap_s": 2.0, "test_s": 0.0},
    },
    comparisons=(
        *((group, "intact") for group in ("APL silenced", "no adaptation", "neither")),
        *(("neither", group) for group in ("APL silenced", "no adaptation")),
    ),
    measures=(
        *("kc_sparseness narrow1", "kc_temporal_sparseness narrow1"),
        *("kc_active narrow1", "kc_rate_hz narrow1"),
    ),
)
"""The protocol of Jürgensen et al. 2021: six seconds, the odor from the second to the fourth."""
PROOFS = "proofs"
"""Part with every arm in small (`arm_proofs`)."""
EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType({"odor": ODOR, "reach": REACH, "sparse": SPARSE})
TITLES = {
    "odor": "Odor conditioning: 2 min of odor and reward, 1 min gap, 2 min test",
    "reach": "Delayed reach: 4 min of trials",
    "sparse": "Sparse coding (preset sparse-coding-2021): 2 s of odor",
    PROOFS: "Every arm on every task and simulator, in small",
}


@dataclass(frozen=True)
class Settings:
    """Settings of the experiments."""

    simulator: str = "numba"
    animals: int = 30
    """Animals of each group of larvae; of a group of the reach task there are 12 at most."""
    minute_s: float = 60.0
    """Length of a minute of the protocols (s); smaller values are for tests."""

    def __post_init__(self) -> None:
        if self.animals < FEWEST_ANIMALS:
            raise ScenarioError(
                f"animals: expected at least {FEWEST_ANIMALS}, because the tables compare groups; got "
                f"{self.animals}"
            )
        SimulatorSettings(name=self.simulator)

    def applied(self, name: str) -> Experiment:
        """Return an experiment with these settings."""
        experiment, scale = EXPERIMENTS[name], self.minute_s / 60.0
        shared: dict[str, Any] = {**experiment.config, "simulator": {"name": self.simulator}}
        if name == "odor" and scale != 1.0:
            times = {key: value for key, value in shared.items() if key.endswith("_s")}
            shared |= {key: round(value * scale, 1) for key, value in times.items()}
        if name == "reach":
            shared["minutes"] = shared["minutes"] * scale
        animals = min(12, self.animals) if name == "reach" else self.animals
        return dataclasses.replace(experiment, config=shared, animals=animals)


def validate_arms(
    *,
    out: Path = Path("runs/validation_arms"),
    simulator: str = "numba",
    animals: int = 30,
    parts: tuple[str, ...] = (),
) -> None:
    """Compare animals with control arms: larvae that learn an odor, reaches, and sparse codes.

    Parameters
    ----------
    out
        Path of the results, without suffix: OUT.md and OUT.json; the experiments lie in the folder OUT, and
        the same command continues them.
    simulator
        nest, numba or genn.
    animals
        Larvae of each group; of a group of the reach task there are 12 at most.
    parts
        Only these: odor, reach, sparse, proofs (every arm in small, on all simulators).
    """
    print(validate(out, Settings(simulator, animals), parts).read_text("utf-8"))


def validate(out: Path, settings: Settings, parts: tuple[str, ...] = ()) -> Path:
    """Run experiments (all by default), write `out`.json and `out`.md, and return the path of `out`.md.

    Raises
    ------
    ScenarioError
    SimulatorNotInstalled
    RunFolderError
        As `run_parts`.
    AnalysisNotInstalled
        When pingouin is absent.
    """
    require_statistics()
    folder = expanded(out)
    functions: dict[str, Any] = {name: partial(_run, name, folder) for name in EXPERIMENTS}
    functions[PROOFS] = lambda settings: arm_proofs.proofs(folder=folder / PROOFS)
    return run_parts(
        out, settings, parts, Validation(functions, lambda part, chosen: (chosen,), "results", to_markdown)
    )


def _run(name: str, folder: Path, settings: Settings) -> dict[str, Any]:
    """Run an experiment, or the rest of it, and return its results as plain data."""
    experiment = settings.applied(name)
    scenario = scenario_of(experiment)
    shared = experiment.shared_config(scenario)
    path = folder / name
    if is_sweep(path):
        sweep = Sweep.open(path)
        if sweep.base_settings != to_plain(shared):
            raise ScenarioError(f"{path} holds an experiment with other settings; choose another by --out")
    else:
        make_folder(folder)
        sweep = Sweep.create(path, scenario, shared, experiment.plan(scenario, shared))
    for tasks in sweep.in_order(sweep.waiting()):
        for task in tasks:
            run_task(sweep.path, task.number)
    compared = results_of(sweep)
    compared.write(sweep.path, sweep.path / "figures")
    return {
        "groups": dict(compared.about),
        "design": to_plain(compared.design),
        "notes": list(compared.notes),
        "animals": json.loads(compared.animals.to_json(orient="records", double_precision=15)),
        "comparisons": json.loads(compared.comparisons.to_json(orient="records", double_precision=15)),
        "wall_s": {sweep.groups[result["point"]]: result["wall_s"] for result in sweep.results()},
    }


def to_markdown(results: Mapping[str, Any]) -> str:
    """Return the results as tables, each with the command that produced it."""
    lines = ["# Control arms", ""]
    for name, title in TITLES.items():
        if name in results:
            machine, data = results[name]["machine"], results[name]["results"]
            tables = arm_proofs.to_markdown if name == PROOFS else _compared_tables
            lines += [f"### {title}", "", f"`{command_of(machine)}`", "", tables(data)]
    return "\n".join(lines)


def _compared_tables(data: Mapping[str, Any]) -> str:
    return compared_of(data).to_markdown()


def compared_of(data: Mapping[str, Any]) -> Results:
    """Return the results of an experiment from plain data, as they are in the file of a validation."""
    import pandas as pd

    animals, comparisons = pd.DataFrame(data["animals"]), pd.DataFrame(data["comparisons"])
    numbers = [column for column in comparisons if column not in ("measure", "group", "control")]
    design = Design.from_json(data["design"])
    return Results(
        list(data["groups"]),
        animals,
        comparisons.astype(dict.fromkeys(numbers, float)),
        design,
        data["groups"],
        data["notes"],
    )
