"""The validation of the reaching cortex as text: tables with what is expected and what was published beside.

In: the results of `reach_validation`. Out: Markdown. This file runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ethospike.scenarios.run.folder import command_of

PUBLISHED_MS = {"1": 159, "2": 251, "3": 261}
"""Median time from the response signal to the decision, correct trials (Rostami et al. 2024, Nat Commun
15:6304, Fig 6, digitized from the figure)."""
PUBLISHED_DECODING = {"1": 0.99, "2": 0.52, "3": 0.29}
PUBLISHED_FANO_CHANGE = {"1": -1.06, "2": -0.50, "3": -0.03}
PUBLISHED_CV2 = {"1": 0.68, "2": 0.65, "3": 0.70}
"""The model 500 ms after the preparatory signal (ibid., Fig 5, digitized)."""
MONKEY_MS = {"1": 144, "2": 194, "3": 201}
"""The same of a monkey (ibid., Fig 6)."""
CORRECT = {"1": 0.90, "3": 0.60}
"""Expected here, at least."""
DECODING = {"1": (0.85, 1.0), "2": (0.40, 0.60), "3": (0.23, 0.43)}
"""Expected here: 1, 1/2 and 1/3, what one of the cued gives, ± 0.10 (at least .85 with one)."""
CONDITIONS = ("1", "2", "3")
CUED = tuple(f"{one} cued" for one in CONDITIONS)

Table = list[str]
Row = tuple[str, ...]


def to_markdown(results: Mapping[str, Any]) -> str:
    """Return all parts that there are."""
    writers: dict[str, Callable[[Mapping[str, Any]], Table]] = {
        "reach": lambda found: _reach(found, "`reach` (fixed in-degree)"),
        "published": lambda found: _reach(found, "`reach-published` (Bernoulli wiring, as published)"),
        "amplitudes": _amplitudes,
        "rest": _rest,
        "simulators": lambda found: _simulators(found, "reach"),
        "strengths": _strengths,
        "large": _large,
        "simulators_large": lambda found: _simulators(found, "large"),
    }
    lines: Table = []
    for name, write in writers.items():
        if name not in results:
            continue
        machine, settings = results[name]["machine"], results[name]["settings"]
        lines += [*write(results[name]["found"]), ""]
        made = f"`{command_of(machine)}`, {machine['started'][:10]}, simulator {settings['simulator']}."
        lines += [made, ""]
    return "\n".join(lines)


def _reach(found: Mapping[str, Any], title: str) -> Table:
    n = len(found["wirings"])
    rows: list[Row] = []
    for c in CONDITIONS:
        rows += _decision_rows(c, found["conditions"][c])
        rows += _cortex_rows(c, found["cortex"][c], found["fano_change"][c])
    rows += _contrast_rows(found)
    return [
        f"### {title}: {n} wirings, {found['conditions']['1']['trials'] // n} trials a condition each",
        "",
        *_table(("measure", "here [95 %]", "expected", "reached", "published model"), rows),
        "",
        "Correct decisions by wiring:",
        "",
        *_table(("wiring", *CUED), _wiring_rows(found["wirings"])),
        "",
        *_thresholds(found["thresholds"]),
    ]


def _decision_rows(condition: str, row: Mapping[str, Any]) -> Iterator[Row]:
    """Yield what brain and hand did in the trials of a condition."""
    cued, wanted = f"{condition} cued", CORRECT.get(condition)
    for name, key in (("decision", "decision_correct"), ("hand", "hand_correct")):
        expected = f"≥ {wanted:.0%}" if wanted else ""
        passed = "" if wanted is None else _yes(row[key]["mean"] >= wanted)
        yield f"{name} correct, {cued}", _percent(row[key]), expected, passed, "not stated"
    yield f"no decision, {cued}", _percent(row["decision_none"]), "", "", "not stated"
    published = f"{PUBLISHED_MS[condition]} (monkey {MONKEY_MS[condition]})"
    yield f"median decision time, {cued} (ms)", _number(row["decision_ms"], 0), "", "", published
    yield f"median reaction of the hand, {cued} (ms)", _number(row["reaction_ms"], 0), "", "", ""


def _cortex_rows(condition: str, measures: Mapping[str, Any], change: Mapping[str, Any]) -> Iterator[Row]:
    """Yield variability, decoding and rates of the cortex in the trials of a condition."""
    cued = f"{condition} cued"
    published = f"{PUBLISHED_FANO_CHANGE[condition]:+.2f}"
    yield f"change of Fano factor at +500 ms, {cued}", _number(change, 2), "", "", published
    low, high = DECODING[condition]
    accuracy = measures["decoding_prepared"]
    passed = "" if accuracy["mean"] is None else _yes(low <= accuracy["mean"] <= high)
    expected, published = f"{low:.2f} … {high:.2f}", f"{PUBLISHED_DECODING[condition]:.2f}"
    yield f"decoding at +500 ms, {cued}", _number(accuracy, 2), expected, passed, published
    published = f"0.74 → {PUBLISHED_CV2[condition]:.2f}"
    yield f"CV2, {cued}", _before_and_prepared(measures, "cv2", 2), "", "", published
    yield f"rate of E, {cued} (Hz)", _before_and_prepared(measures, "rate_hz", 1), "", "", ""


def _before_and_prepared(measures: Mapping[str, Any], key: str, digits: int) -> str:
    """Return a measure before the preparatory signal and 500 ms after it."""
    return f"{_number(measures[f'{key}_before'], digits)} → {_number(measures[f'{key}_prepared'], digits)}"


def _contrast_rows(found: Mapping[str, Any]) -> list[Row]:
    changes = {pair: one for pair, one in found["fano_change"].items() if "−" in pair}
    return [
        _contrast(what, pair, one, digits)
        for what, contrasts, digits in (
            ("median decision time (ms)", found["decision_ms_contrasts"], 0),
            ("median reaction of the hand (ms)", found["reaction_ms_contrasts"], 0),
            ("change of Fano factor", changes, 2),
        )
        for pair, one in contrasts.items()
    ]


def _wiring_rows(wirings: Sequence[Mapping[str, float]]) -> list[Row]:
    return [(str(i), *(f"{one[c]:.0%}" for c in CONDITIONS)) for i, one in enumerate(wirings, start=1)]


def _thresholds(found: Mapping[str, Any]) -> Table:
    """Return what other thresholds would have decided, and which of them the authors would have chosen."""
    best = found["best_balanced_accuracy"]

    def cell(one: Mapping[str, Any]) -> str:
        return f"{one['correct']:.0%}, {_plain(one['median_ms'], '{:.0f} ms')}, none {one['none']:.0%}"

    rows = [
        (name, *(cell(one[c]) for c in CONDITIONS))
        for name, one in found.items()
        if name != "best_balanced_accuracy"
    ]
    return [
        "The same spikes with other decision thresholds (correct, median time, undecided); the best balanced "
        f"accuracy (mean recall) over all conditions is {best['accuracy']:.2f} at "
        f"{best['threshold']:.2f}:",
        "",
        *_table(("threshold", *CUED), rows),
    ]


def _contrast(what: str, pair: str, one: Mapping[str, Any], digits: int) -> Row:
    """Return the row of a difference; one and three targets, and one and two, have an expected sign."""
    wanted = pair.startswith("1")
    known = wanted and one["high"] is not None
    passed = _yes(one["high"] < 0) if known else ""
    return (f"{what}: {pair} cued", _number(one, digits), "below 0" if wanted else "reported", passed, "")


def _amplitudes(found: Mapping[str, Any]) -> Table:
    rows = [
        (name, *(f"{_percent(one['conditions'][c]['decision_correct'])}, "
                       f"{_number(one['conditions'][c]['decision_ms'], 0)} ms" for c in CONDITIONS))
        for name, one in found.items()
    ]  # fmt: skip
    head = ("network, both signals", *(f"{c} cued: correct, median decision time" for c in CONDITIONS))
    title = "### Amplitude of the signals (at V_th = 15 mV, with which it scales; 0.1 pA as published)"
    return [title, "", *_table(head, rows)]


def _rest(found: Mapping[str, Any]) -> Table:
    one, flat = found["cortex"], found["unclustered"]
    rows = [
        ("least dominance of a cluster", _plain(one["least_dominance"], "{:.1%}"), "≥ 1 %",
         _yes((one["least_dominance"] or 0) >= 0.01)),
        ("median dwell time (ms)", _plain(one["dwell_ms_median"], "{:.0f}"), "50 … 5000",
         _yes(50 <= (one["dwell_ms_median"] or 0) <= 5000)),
        ("time with a dominant cluster", _plain(one["dominated"], "{:.0%}"), "", ""),
        ("rate E, I (Hz)", ", ".join(f"{rate:.1f}" for rate in one["rate_hz"].values()), "", ""),
        ("CV2, Fano factor", f"{_plain(one['cv2'], '{:.2f}')}, {_plain(one['fano'], '{:.2f}')}", "", ""),
        ("without clusters: highest rate in 50 ms over the mean", _plain(flat["highest_over_mean"], "{:.2f}"),
         "≤ 3", _yes((flat["highest_over_mean"] or 99) <= 3)),
        ("without clusters: rate E, I (Hz)", ", ".join(f"{r:.1f}" for r in flat["rate_hz"].values()), "", ""),
        ("without clusters: CV2, Fano factor",
         f"{_plain(flat['cv2'], '{:.2f}')}, {_plain(flat['fano'], '{:.2f}')}", "", ""),
    ]  # fmt: skip
    return ["### `cortex` at rest", "", *_table(("measure", "here", "expected", "reached"), rows)]


def _strengths(found: Mapping[str, Any]) -> Table:
    rows = []
    for name, one in found.items():
        rest = one["rest"]
        rows.append(
            (
                name,
                ", ".join(f"{rate:.1f}" for rate in rest["rate_hz"].values()),
                _plain(rest["least_dominance"], "{:.1%}"),
                _plain(rest["dwell_ms_median"], "{:.0f}"),
                _plain(rest["highest_over_mean"], "{:.1f}"),
                *(_percent(one["conditions"][c]["decision_correct"]) for c in CONDITIONS),
            )
        )
    head = ("network, J_E+", "E, I (Hz)", "least dominance", "dwell (ms)", "highest over mean")
    return [
        "### Strength of the clusters: rest and task",
        "",
        *_table((*head, *(f"correct, {c} cued" for c in CONDITIONS)), rows),
    ]


def _large(found: Mapping[str, Any]) -> Table:
    rows = []
    for name, one in found["conditions"].items():
        among = one["decision_correct_among_cued"]
        chance = {"1": "", "all": ""}.get(name, f"{1 / int(name):.2f}" if name.isdigit() else "")
        overall = _yes((one["decision_correct"]["low"] or 0) > 1 / 6)
        above = _yes((among["low"] or 0) > 1 / int(name)) if chance else ""
        rows.append((name, str(one["trials"]), _percent(one["decision_correct"]), overall,
                     _percent(among), chance, above, _percent(one["hand_correct"]),
                     _number(one["decision_ms"], 0)))  # fmt: skip
    head = (
        "cued",
        "trials",
        "decision correct",
        "above 1/6",
        "correct among cued",
        "chance",
        "above",
        "hand correct",
    )
    rates = ", ".join(f"{name} {rate:.1f} Hz" for name, rate in found["rate_hz"].items())
    return [
        f"### `large` in the task, {found['wirings']} wirings ({rates})",
        "",
        *_table((*head, "median decision (ms)"), rows),
    ]


def _simulators(found: Mapping[str, Any], network: str) -> Table:
    keys = ("rate_E_hz", "rate_I_hz", "cv2", "fano", "correct")
    rows = [
        (name, *(f"{own[key]['mean']:.3g}" for key in keys), str(len(own["correct"]["animals"])))
        for name, own in found["simulators"].items()
    ]
    lines = [
        f"### Simulators, `{network}`: means over seeds",
        "",
        *_table(("simulator", "E (Hz)", "I (Hz)", "CV2", "Fano factor", "correct", "seeds"), rows),
    ]
    differences = [
        (name, _number(one, 3), f"{one['relative']:+.1%}", _yes(one["agree"]))
        for name, one in found["differences"].items()
    ]
    if differences:
        head = ("difference", "mean [95 %]", "relative", "within 5 %, or zero in the interval")
        lines += ["", *_table(head, differences)]
    return lines


# -- cells ----------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _number(one: Mapping[str, Any], digits: int) -> str:
    if one["mean"] is None:
        return "–"
    spread = "" if one["low"] is None else f" [{one['low']:.{digits}f}, {one['high']:.{digits}f}]"
    return f"{one['mean']:.{digits}f}{spread}"


def _percent(one: Mapping[str, Any]) -> str:
    if one["mean"] is None:
        return "–"
    spread = "" if one["low"] is None else f" [{100 * one['low']:.0f}, {100 * one['high']:.0f}]"
    return f"{100 * one['mean']:.0f}{spread} %"


def _plain(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _yes(passed: bool) -> str:
    return "yes" if passed else "NO"
