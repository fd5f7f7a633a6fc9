"""The validation of the reaching cortex as text: tables with what is expected and what was published beside.

In: the results of `reach_validation`. Out: Markdown. This file runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ethospike.scenarios.run_folder import command_of

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

Table = list[str]


def to_markdown(results: Mapping[str, Any]) -> str:
    """Return all parts that there are."""
    writers = {
        "reach": lambda found: _reach(found, "`reach` (fixed in-degree)"),
        "published": lambda found: _reach(found, "`reach-published` (Bernoulli wiring, as published)"),
        "amplitudes": _amplitudes,
        "rest": _rest,
        "simulators": _simulators,
        "strengths": _strengths,
        "large": _large,
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
    conditions, cortex, changes = found["conditions"], found["cortex"], found["fano_change"]
    rows: list[tuple[str, ...]] = []
    for one in CONDITIONS:
        row, measures = conditions[one], cortex[one]
        for name, key in (("decision", "decision_correct"), ("hand", "hand_correct")):
            wanted = CORRECT.get(one)
            expected = f"≥ {wanted:.0%}" if wanted else ""
            passed = "" if wanted is None else _yes(row[key]["mean"] >= wanted)
            rows.append((f"{name} correct, {one} cued", _percent(row[key]), expected, passed, "not stated"))
        rows.append((f"no decision, {one} cued", _percent(row["decision_none"]), "", "", "not stated"))
        rows.append(
            (
                f"median decision time, {one} cued (ms)",
                _number(row["decision_ms"], 0),
                "",
                "",
                f"{PUBLISHED_MS[one]} (monkey {MONKEY_MS[one]})",
            )
        )
        rows.append(
            (f"median reaction of the hand, {one} cued (ms)", _number(row["reaction_ms"], 0), "", "", "")
        )
        published = f"{PUBLISHED_FANO_CHANGE[one]:+.2f}"
        rows.append(
            (f"change of Fano factor at +500 ms, {one} cued", _number(changes[one], 2), "", "", published)
        )
        low, high = DECODING[one]
        accuracy = measures["decoding_prepared"]
        passed = "" if accuracy["mean"] is None else _yes(low <= accuracy["mean"] <= high)
        published = f"{PUBLISHED_DECODING[one]:.2f}"
        expected = f"{low:.2f} … {high:.2f}"
        rows.append((f"decoding at +500 ms, {one} cued", _number(accuracy, 2), expected, passed, published))
        before, after = measures["cv2_before"], measures["cv2_prepared"]
        text = f"{_number(before, 2)} → {_number(after, 2)}"
        rows.append((f"CV2, {one} cued", text, "", "", f"0.74 → {PUBLISHED_CV2[one]:.2f}"))
        before, after = measures["rate_hz_before"], measures["rate_hz_prepared"]
        rows.append(
            (f"rate of E, {one} cued (Hz)", f"{_number(before, 1)} → {_number(after, 1)}", "", "", "")
        )
    for pair, one in found["decision_ms_contrasts"].items():
        rows.append(_contrast("median decision time (ms)", pair, one, 0))
    for pair, one in found["reaction_ms_contrasts"].items():
        rows.append(_contrast("median reaction of the hand (ms)", pair, one, 0))
    for pair, one in ((key, one) for key, one in changes.items() if "−" in key):
        rows.append(_contrast("change of Fano factor", pair, one, 2))
    wirings = [(f"{i + 1}", *(f"{one[c]:.0%}" for c in CONDITIONS)) for i, one in enumerate(found["wirings"])]
    thresholds = [
        (
            name,
            *(
                f"{one[c]['correct']:.0%}, {_plain(one[c]['median_ms'], '{:.0f} ms')}, "
                f"none {one[c]['none']:.0%}"
                for c in CONDITIONS
            ),
        )
        for name, one in found["thresholds"].items()
        if name != "best_balanced_accuracy"
    ]
    best = found["thresholds"]["best_balanced_accuracy"]
    n = len(found["wirings"])
    cued = [f"{c} cued" for c in CONDITIONS]
    return [
        f"### {title}: {n} wirings, {conditions['1']['trials'] // n} trials a condition each",
        "",
        *_table(("measure", "here [95 %]", "expected", "reached", "published model"), rows),
        "",
        "Correct decisions by wiring:",
        "",
        *_table(("wiring", *cued), wirings),
        "",
        "The same spikes with other decision thresholds (correct, median time, undecided); the best balanced "
        f"accuracy over all conditions, by which the authors choose theirs, is {best['accuracy']:.2f} at "
        f"{best['threshold']:.2f}:",
        "",
        *_table(("threshold", *cued), thresholds),
    ]


def _contrast(what: str, pair: str, one: Mapping[str, Any], digits: int) -> tuple[str, ...]:
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
    return [f"### `large` in the task ({rates})", "", *_table((*head, "median decision (ms)"), rows)]


def _simulators(found: Mapping[str, Any]) -> Table:
    keys = ("rate_E_hz", "rate_I_hz", "cv2", "fano", "correct")
    rows = [
        (name, *(f"{own[key]['mean']:.3g}" for key in keys), str(len(own["correct"]["animals"])))
        for name, own in found["simulators"].items()
    ]
    lines = [
        "### Simulators: means over seeds",
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
