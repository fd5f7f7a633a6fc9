"""The results of an experiment: tables of animals and of comparisons, and a figure, in files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ethospike.errors import ScenarioError
from ethospike.scenarios.analysis.figure_style import DPI
from ethospike.scenarios.analysis.group_statistics import interval
from ethospike.scenarios.experiments.animals import animals_of
from ethospike.scenarios.experiments.comparison import LEVEL, RESAMPLES, Design, chosen_measures, compare
from ethospike.scenarios.run.files import write_whole
from ethospike.scenarios.sweeps.folder import DONE, FAILED, Sweep

if TYPE_CHECKING:
    import pandas as pd

ANIMALS, COMPARISONS, TABLE = "animals.csv", "comparisons.csv", "comparison.md"
FIGURE = "groups.png"


@dataclass(frozen=True)
class Results:
    """Animals and comparisons of groups.

    Parameters
    ----------
    groups : sequence of str
        In the order of the experiment.
    animals : DataFrame
        A row for each animal (`animals.table_of`).
    comparisons : DataFrame
        A row for each comparison (`comparison.compare`).
    design : Design
    about : mapping of str to str
        A line about each group: its arms, or where its runs lie.
    notes : sequence of str
        Lines about tasks that failed or wait.
    """

    groups: Sequence[str]
    animals: pd.DataFrame
    comparisons: pd.DataFrame
    design: Design
    about: Mapping[str, str]
    notes: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        groups: Sequence[str],
        animals: pd.DataFrame,
        design: Design,
        about: Mapping[str, str],
        notes: Sequence[str] = (),
    ) -> Results:
        """Compare groups as the design says.

        Raises
        ------
        ScenarioError
            When a measure of the design does not exist.
        AnalysisNotInstalled
            When pingouin is absent.
        """
        return cls(groups, animals, compare(animals, design), design, about, notes)

    @property
    def measures(self) -> list[str]:
        """The compared measures."""
        return chosen_measures(self.animals, self.design.measures)

    def write(self, folder: Path, figures: Path | None = None) -> list[Path]:
        """Write animals.csv, comparisons.csv, comparison.md and groups.png; return the files."""
        files = [folder / name for name in (ANIMALS, COMPARISONS, TABLE)]
        for file, table in zip(files, (self.animals, self.comparisons), strict=False):
            write_whole(file, table.to_csv(index=False, lineterminator="\n").encode())
        write_whole(files[-1], self.to_markdown().encode())
        if not len(self.comparisons):
            return files
        from ethospike.scenarios.experiments.figure import draw_groups

        figures = figures or folder
        figures.mkdir(exist_ok=True)
        figure = draw_groups(self.animals, self.comparisons, self.groups, paired=self.design.paired)
        figure.savefig(figures / FIGURE, dpi=DPI)
        return [*files, figures / FIGURE]

    def to_markdown(self) -> str:
        """Return the groups and the comparisons as tables in Markdown."""
        kind = "within animals" if self.design.paired else "between independent groups"
        correction = "" if self.design.correction == "none" else f", corrected ({self.design.correction})"
        lines = [
            f"Means over animals, each with its own wiring. Differences {kind}, with {LEVEL:.0%} bootstrap "
            f"intervals; p of permutation tests ({RESAMPLES:,} draws){correction}; g: Hedges.",
            *(f"\n{note}" for note in self.notes),
            "",
            "| group | |",
            "|---|---|",
            *(f"| {group} | {_cell(self.about.get(group, ''))} |" for group in self.groups),
        ]
        for measure in self.measures:
            lines += ["", f"**{measure}**", "", "| group | mean | n | compared with | difference | p | g |"]
            lines += ["|---|---|---|---|---|---|---|"]
            lines += [row for group in self.groups for row in self._rows(measure, group)]
        return "\n".join(lines) + "\n"

    def _rows(self, measure: str, group: str) -> list[str]:
        """Return the rows of a group: its mean, and each comparison of it."""
        values = self.animals.loc[self.animals["group"] == group, measure].to_numpy(float)
        values = values[np.isfinite(values)]
        mean = (
            _with_ends(**{key: interval(values)[key] for key in ("mean", "low", "high")})
            if len(values)
            else "–"
        )
        table = self.comparisons
        of_group = table[(table["measure"] == measure) & (table["group"] == group)]
        rows = [
            f"{row.control} | {_with_ends(row.difference, row.low, row.high)} | {_p(row.p_corrected)} | "
            f"{_number(row.hedges_g)} |"
            for row in of_group.itertuples()
        ]
        return [f"| {group} | {mean} | {len(values)} | {row}" for row in rows or [" | | | |"]]


def results_of(sweep: Sweep, design: Design | None = None) -> Results:
    """Return the results of an experiment, as far as its tasks are finished.

    Raises
    ------
    ScenarioError
        When the sweep is no experiment, no task is finished, or a measure does not exist.
    AnalysisNotInstalled
        When pingouin is absent.
    """
    if sweep.experiment is None:
        raise ScenarioError(f"{sweep.path} is a sweep without groups, not an experiment")
    design = design or Design.from_json(sweep.experiment)
    results = list(sweep.results())
    if not any(result["status"] == DONE for result in results):
        raise ScenarioError(f"{sweep.path}: no task is finished, and there is nothing to compare")
    failed = [result for result in results if result["status"] == FAILED]
    notes = [
        f"{sweep.groups[result['point']]}, seed {result['seed']}: failed ({result['error']})"
        for result in failed
    ]
    if waiting := len(sweep.tasks()) - len(results):
        notes.append(f"{waiting} of {len(sweep.tasks())} tasks are not finished")
    try:
        return Results.of(sweep.groups, animals_of(sweep), design, about_groups(sweep), notes)
    except ScenarioError as error:
        raise ScenarioError(
            f"{error}; the runs are kept: `ethospike compare {sweep.path} --measures …` compares others"
        ) from error


def about_groups(sweep: Sweep) -> dict[str, str]:
    """Return the values in which the groups differ, such as the arm, as text."""
    keys = list(sweep.points[0])
    varied = [key for key in keys if len({str(point[key]) for point in sweep.points}) > 1]
    return {
        group: ", ".join(
            str(point[key]) if key == "arm" else f"{key} = {point[key]}"
            for key in varied
            if point[key] is not None
        )
        for group, point in zip(sweep.groups, sweep.points, strict=True)
    }


def finish(sweep: Sweep) -> list[Path]:
    """Write tables and figure of an experiment into its folder; return the files.

    Raises
    ------
    ScenarioError, AnalysisNotInstalled
        As `results_of`.
    """
    return results_of(sweep).write(sweep.path, sweep.path / "figures")


def redesigned(design: Design, groups: Sequence[str], control: str, measures: Sequence[str]) -> Design:
    """Return a design with another control or other measures."""
    pairs = tuple((group, control) for group in groups if group != control) if control else design.comparisons
    return dataclasses.replace(design, comparisons=pairs, measures=tuple(measures) or design.measures)


def _with_ends(mean: float, low: float | None, high: float | None) -> str:
    if low is None or high is None or not np.isfinite([low, high]).all():
        return _number(mean)
    return f"{_number(mean)} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"


def _p(value: float) -> str:
    return "–" if not np.isfinite(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|") or "shared configuration"
