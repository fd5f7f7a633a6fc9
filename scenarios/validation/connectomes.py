"""Learning of larvae with measured wiring, beside the drawn circuit, control groups and shuffled wiring.

ethospike validate connectomes --connectome ~/connectomes --out docs/validation_connectomes
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import cyclopts

from ethospike.brains.circuits.connectome.larva import LarvaBrainConfig
from ethospike.brains.circuits.connectome.larva_signs import LARVA_SIGNS
from ethospike.brains.circuits.connectome.measured import DRAWN, measured_connectome
from ethospike.scenarios.odor import conditioning
from ethospike.scenarios.run.provenance import command_of
from ethospike.scenarios.validation.larva import experiments
from ethospike.scenarios.validation.larva.report import show
from ethospike.scenarios.validation.parts import Validation, run_parts, summary_of

ODOR = "n-amylacetate"
COLUMNS = {
    f"kc_rate_hz {ODOR}": "Kenyon cells, Hz",
    f"kc_active {ODOR}": "share active",
    f"kc_sparseness {ODOR}": "sparseness",
    "dan_hz_in_training": "dopaminergic, Hz",
    "preference_first_20_s": "preference, first 20 s",
    "preference_last_20_s": "last 20 s",
}
"""Measures of a row, with the heads of their columns. A measure that a row lacks has an empty cell."""
ODOR_FIRST = experiments.UNPAIRED[0]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the comparison."""

    animals: int = 10
    """Larvae of each row. With measured wiring they differ in input and movement alone."""
    minute_s: float = 60.0
    """Length of a minute in the protocol (s); smaller values are for tries and tests."""
    connectome: str = ""
    """Folder with the folders `winding` and `eichler`; empty for the one in ETHOSPIKE_CONNECTOMES."""
    simulator: str = "numba"
    """Simulator."""
    threads: int = 0
    """Threads of the simulator; 0 leaves the choice to it."""

    def __post_init__(self) -> None:
        self.larvae()

    def larvae(self) -> experiments.Settings:
        """The settings of the comparison with the publication."""
        return experiments.Settings(
            self.simulator, self.animals, threads=self.threads, minute_s=self.minute_s
        )


@dataclasses.dataclass(frozen=True)
class Case:
    """A row: a circuit, a group of the protocol, the choices for measured wiring, and control arms."""

    circuit: str
    group: str = "paired"
    measured: LarvaBrainConfig = dataclasses.field(default_factory=LarvaBrainConfig)
    arm: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the row."""
        words = [self.circuit, self.group, *self.arm]
        if self.measured.scaling != "role":
            words.append(f"scaling by {self.measured.scaling}")
        if self.measured.sign_seed != 1:
            words.append(f"signs {self.measured.sign_seed}")
        return ", ".join(words)


GROUPS = ("paired", ODOR_FIRST, "odor only")
OTHER_SIGNS = tuple(LarvaBrainConfig(sign_seed=seed) for seed in (2, 3))
CASES: Mapping[str, tuple[Case, ...]] = {
    "eichler": (
        *(Case(DRAWN, group) for group in GROUPS),
        *(Case("eichler-left", group) for group in GROUPS),
        *(Case("eichler-left", group, LarvaBrainConfig(scaling="neuron")) for group in GROUPS),
        *(Case("eichler-right", group) for group in GROUPS),
        *(Case("eichler-left", measured=signs) for signs in OTHER_SIGNS),
        Case("eichler-left", arm=("shuffle PN>KC",)),
    ),
    "brain": (
        *(Case("winding-brain", group) for group in GROUPS),
        *(Case("winding-brain", measured=signs) for signs in OTHER_SIGNS),
        Case("winding-brain", arm=("shuffle PN>KC",)),
        Case("winding-brain", arm=("shuffle",)),
        Case("winding-brain", arm=("silence KC",)),
    ),
}
"""The rows of each part. Other signs are drawn for the neurons of unknown transmitter alone."""
DEFAULTS = Settings()


def main(
    out: Path = Path("runs/validation_connectomes"),
    *,
    parts: tuple[str, ...] = (),
    settings: Annotated[Settings, cyclopts.Parameter(name="*")] = DEFAULTS,
) -> None:
    """Train larvae with measured wiring as in the published protocol, with controls.

    Parameters
    ----------
    out
        Path of the results, without suffix: OUT.md and OUT.json.
    parts
        Only these: eichler (mushroom body, beside the drawn one), brain (the whole larval brain).
    settings
        Settings of the comparison.
    """
    print(run_parts(out, settings, parts, VALIDATION).read_text("utf-8"))


def configuration(case: Case, settings: Settings) -> conditioning.ConditioningConfig:
    """Return the published protocol for a row: 2 min of training, 1 min gap, 3 min of odor alone."""
    larvae = settings.larvae()
    return experiments.protocol(
        larvae,
        **experiments.groups(larvae)[case.group],
        circuit=case.circuit,
        connectome=settings.connectome,
        measured=case.measured,
        arm=case.arm,
    )


def train(part: str, settings: Settings) -> dict[str, Any]:
    """Return the measures of each row of a part, and the share of synapses with an assumed sign."""
    measured: dict[str, Any] = {}
    for case in CASES[part]:
        measured[case.name] = summary_of(conditioning.SCENARIO, configuration(case, settings))
        if case.circuit != DRAWN:
            wiring = measured_connectome(case.circuit, settings.connectome)
            measured[case.name]["assumed_signs"] = LARVA_SIGNS.assumed_share(wiring)
    return measured


def to_markdown(results: dict[str, Any]) -> str:
    """Return the results as tables, each with the command that produced it."""
    lines = ["# Larvae with measured wiring", "", "Mean and 95 % interval over animals."]
    for part, entry in results.items():
        used, machine = entry["settings"], entry["machine"]
        lines += [
            "",
            f"## {part}",
            "",
            f"`{command_of(machine)}`, {machine['started'][:10]}, on {used['simulator']}: {used['animals']} "
            f"larvae a row, {2 * used['minute_s']:g} s of training, {used['minute_s']:g} s without odor, "
            f"{3 * used['minute_s']:g} s of {ODOR} everywhere.",
            "",
            f"| | assumed signs | {' | '.join(COLUMNS.values())} |",
            f"|---|{'---|' * (1 + len(COLUMNS))}",
        ]
        for name, measured in entry["results"].items():
            share = measured.get("assumed_signs")
            cells = ["" if share is None else f"{share:.0%}", *(show(measured.get(key)) for key in COLUMNS)]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _part(part: str) -> Any:
    return lambda settings: train(part, settings)


def _simulators(part: str, chosen: str) -> Sequence[str]:
    return [chosen]


VALIDATION = Validation(
    parts={part: _part(part) for part in CASES},
    simulators=_simulators,
    key="results",
    to_markdown=to_markdown,
)
