"""The page of the benchmark of learning from reward: a table for each task, from finished sweeps.

Rows that are on the page stay there until a sweep has their group, so that parts of the benchmark may be done
on different days and machines. Paragraphs below the line `<!-- by hand -->` stay as well.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from ethospike.scenarios.reward.config import AgentName
from ethospike.scenarios.reward.measures import BY_ANIMAL
from ethospike.scenarios.reward.tasks import TASKS
from ethospike.scenarios.run.files import beside, read_json, write_whole
from ethospike.scenarios.run.provenance import command_of, provenance
from ethospike.scenarios.scenario import INTACT
from ethospike.scenarios.sweeps.folder import DONE, FAILED, Sweep, is_sweep

BY_HAND = "<!-- by hand -->"
"""Line above the paragraphs of a section that are not made from sweeps."""


def written(out: Path, folder: Path) -> Path:
    """Write the page and its data from all sweeps in a folder, and from the rows before; return the page.

    Raises
    ------
    RunFolderError
        When a file cannot be read or written.
    """
    folders = sorted(folder.iterdir()) if folder.is_dir() else []
    rows = [row for path in folders if is_sweep(path) for row in rows_of(Sweep.open(path))]
    data_file, page = beside(out, ".json"), beside(out, ".md")
    if data_file.exists():
        groups = {_group(row) for row in rows}
        rows += [row for row in _rows_before(read_json(data_file)) if _group(row) not in groups]
    rows = sorted((row for row in rows if row["task"] in TASKS), key=_place)
    data = {"machine": provenance(), "rows": rows}
    notes = notes_of(page.read_text("utf-8")) if page.exists() else {}
    write_whole(data_file, (json.dumps(data, indent=1) + "\n").encode())
    write_whole(page, to_markdown(data, notes).encode())
    return page


def _group(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["task"], row["agent"], row["arm"]


def _rows_before(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a page; those without a day are from the day of the page."""
    return [{"made": data["machine"]["started"][:10], **row} for row in data["rows"]]


def notes_of(page: str) -> dict[str, str]:
    r"""Return the paragraphs below `BY_HAND` in each section of a page; the head is the section "".

    Examples
    --------
    >>> notes_of("# Page\n\n## lake\n\n<!-- by hand -->\n\nNo slip.\n\n## pole\n")
    {'lake': 'No slip.'}
    """
    notes = {}
    for section in f"\n{page}".split("\n## "):
        name, _, text = section.partition("\n")
        _, _, note = text.partition(f"{BY_HAND}\n")
        if note.strip():
            notes[name] = note.strip()
    return notes


def _place(row: Mapping[str, Any]) -> tuple[int, bool, bool, int]:
    """Return the place of a row on the page: task, intact before arms, variants last, agents in order."""
    task, agents = TASKS[row["task"]], get_args(AgentName)
    table = list(TASKS).index(task.of or row["task"])
    return table, row["arm"] != INTACT, bool(task.of), agents.index(row["agent"])


def rows_of(sweep: Sweep) -> list[dict[str, Any]]:
    """Return a row for each group of a sweep, from its finished runs."""
    known = [name for name in TASKS if sweep.path.name.startswith(name)]
    task = max(known, key=len, default=sweep.path.name)
    results: dict[int, list[dict[str, Any]]] = {}
    for result in sweep.results():
        results.setdefault(result["point"], []).append(result)
    base: Any = sweep.base_config
    made = str(sweep.manifest["started"])[:10]
    rows = []
    for number, ended in sorted(results.items()):
        done = [result for result in ended if result["status"] == DONE]
        names = sorted({name for result in done for name in result["animals"]})
        rows.append(
            {
                "task": task,
                **sweep.points[number],
                "episodes": base.episodes,
                "animals": base.animals * len(done),
                "seeds": [result["seed"] for result in done],
                "failed": sum(result["status"] == FAILED for result in ended),
                "wall_s": [result["wall_s"] / base.animals for result in done],
                "made": made,
                "proof": _proof(done),
                "measures": {
                    name.removeprefix(f"{BY_ANIMAL}."): [
                        value for result in done for value in result["animals"].get(name, ())
                    ]
                    for name in names
                },
            }
        )
    return rows


def _proof(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the numbers with which an arm proves its effect, as means over runs."""
    numbers: dict[str, list[float]] = {}
    for result in results:
        for name, value in result["measures"].items():
            if name.startswith("arms.") and value is not None:
                numbers.setdefault(name.rpartition(".")[2], []).append(value)
    return {name: statistics.fmean(values) for name, values in numbers.items()}


COLUMNS: Mapping[str, str] = {
    "last 100": "score",
    "greedy": "greedy_return",
    "sampled": "sampled_return",
    "episodes to the threshold": "episodes_to_threshold",
    "spikes a decision": "spikes_per_decision",
    "mean rate (Hz)": "mean_rate_hz",
}
"""Heads of the table, and the measures under them."""
POPULATIONS = ("code", "critic", "actor")
"""Populations of spiking agents, whose mean rates have a column."""
_RATES = f"{' / '.join(POPULATIONS)} (Hz)"
HEADS = ("agent", "arm", "episodes", "animals", *COLUMNS, _RATES, "reached by", "wall s an animal", "day")


ABOUT = (
    "Median [least, most] over animals, each with wiring, episodes and choices of its own; parameters "
    "were chosen with other seeds. *Last 100*: mean return of the last 100 episodes of training. "
    "*Greedy*, *sampled*: returns after training, without learning, in copies of the environment of "
    "their own. *Episodes to the threshold*: until the mean of 100 episodes reaches Gymnasium's own "
    "threshold, over the animals that got there. *Mean rate*: of all neurons in episodes; beside it those of "
    "code, critic and actor. Several animals go side by side in a run; wall times are "
    "those of runs divided by their animals, of one process among others. *Day*: of the runs."
)
"""The meaning of the columns."""


def to_markdown(data: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """Return the page: a table for each task, with median and range over animals, and notes by section."""
    machine, notes = data["machine"], notes or {}
    lines = [
        "# Learning from reward",
        "",
        f"{machine['started'][:10]} · {machine['machine']} · Python {machine['python']} · ethospike "
        f"{machine['versions']['ethospike']}, Gymnasium {machine['versions']['gymnasium']}",
        "",
        f"Command: `{command_of(machine)}`. {ABOUT}",
        *_note(notes, ""),
    ]
    of_task: dict[str, list[Mapping[str, Any]]] = {name: [] for name in TASKS}
    for row in data["rows"]:
        of_task[TASKS[row["task"]].of or row["task"]].append(row)
    for task, rows in of_task.items():
        if not rows and task not in notes:
            continue
        about = [TASKS[name].about for name in dict.fromkeys((task, *(row["task"] for row in rows)))]
        lines += ["", f"## {task}", "", " ".join(about)]
        if rows:
            lines += ["", _line(HEADS), _line(["---"] * len(HEADS))]
            lines += [_line(_cells(row)) for row in rows]
            lines += _proofs(rows)
        lines += _note(notes, task)
    return "\n".join(lines) + "\n"


def _note(notes: Mapping[str, str], section: str) -> list[str]:
    return ["", BY_HAND, "", notes[section]] if section in notes else []


def _cells(row: Mapping[str, Any]) -> list[str]:
    measures, n = row["measures"], row["animals"]
    variant = TASKS[row["task"]].variant
    cells = [
        row["agent"] + (f", {variant}" if variant else ""),
        row.get("arm", INTACT),
        str(row["episodes"]),
        f"{n}" + (f" ({row['failed']} runs failed)" if row["failed"] else ""),
    ]
    cells += [spread(measures.get(name, [])) for name in COLUMNS.values()]
    rates = [_rate_of(measures, name) for name in POPULATIONS]
    cells.append(" / ".join(rate or "–" for rate in rates) if any(rates) else "")
    to = measures.get("episodes_to_threshold")
    reached = "" if to is None else f"{sum(value is not None for value in to)} of {n}"
    return [*cells, reached, spread(row["wall_s"]), row["made"]]


def _rate_of(measures: Mapping[str, Any], population: str) -> str:
    """Return the mean rate of a population, over animals and its equal clusters; empty without it."""
    names = [name for name in measures if name.partition("[")[0] == f"rate_hz.{population}"]
    rates = [value for name in names for value in measures[name] if value is not None]
    return f"{statistics.fmean(rates):.3g}" if rates else ""


def _proofs(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line with the numbers of each arm's proof."""
    lines = []
    for row in rows:
        if row["proof"]:
            numbers = [f"{name.replace('_', ' ')} {value:.3g}" for name, value in row["proof"].items()]
            lines.append(f"* Proof of {row['arm']} (mean of its runs): {', '.join(numbers)}.")
    return ["", *lines] if lines else []


def spread(values: Sequence[float | None]) -> str:
    """Return median and range of the known values, as in a cell of the table.

    Examples
    --------
    >>> spread([1.0, 3.0, None, 2.25])
    '2.25 [1, 3]'
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    least, most = min(known), max(known)
    middle = f"{statistics.median(known):.3g}"
    return middle if least == most else f"{middle} [{least:.3g}, {most:.3g}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
