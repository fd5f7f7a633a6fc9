"""One table of animals: a row for each animal of each group, a column for each measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ethospike.scenarios.sweeps.folder import DONE, Sweep

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("group", "seed", "animal")
"""Columns that are no measures."""

Values = Mapping[str, Iterable[float | None]]
"""The values of the animals of a run, by measure."""


def table_of(runs: Iterable[tuple[str, int, Values]]) -> pd.DataFrame:
    """Return the table of some runs, each with its group, its seed and the values of its animals.

    Measures are in the order of the runs; an animal without a value has NaN.
    """
    import pandas as pd

    rows = []
    for group, seed, measures in runs:
        lists = {name: list(values) for name, values in measures.items()}
        for animal in range(max(map(len, lists.values()), default=0)):
            present = {name: values[animal] for name, values in lists.items() if animal < len(values)}
            rows.append({"group": group, "seed": seed, "animal": animal, **present})
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in KEYS]
    table = pd.DataFrame(rows, columns=[*KEYS, *names])
    return table.astype(dict.fromkeys(names, float))


def animals_of(sweep: Sweep) -> pd.DataFrame:
    """Return the animals of the finished tasks of an experiment."""
    return table_of(
        (sweep.groups[result["point"]], result["seed"], result.get("animals", {}))
        for result in sweep.results()
        if result["status"] == DONE
    )
