"""Report of the validation of the reaching cortex: tables of data, expected and published values.

The functions turn the results of `reach` into Markdown and run no experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ethospike.scenarios.run.provenance import command_of
from ethospike.scenarios.validation.cells import Row, Table, number, percent, plain, table, yes
from ethospike.scenarios.validation.reach import published_report
from ethospike.scenarios.validation.reach import published_values as published
from ethospike.scenarios.validation.reach.published_values import CONDITIONS

CORRECT = {"1": 0.90, "3": 0.60}
"""Smallest accepted share of correct trials of the default network; the publication states no such share."""
DECODING = {"1": (0.85, 1.0), "2": (0.40, 0.60), "3": (0.23, 0.43)}
"""Expected decoding: a guess among the cued targets (1, 1/2, 1/3) ± 0.10; at least 0.85 with one target."""
CUED = tuple(f"{condition} cued" for condition in CONDITIONS)


def to_markdown(results: Mapping[str, Any]) -> str:
    """Return the available parts as Markdown."""
    writers: dict[str, Callable[[Mapping[str, Any]], Table]] = {
        "reach": lambda data: _reach(data, "`reach` (fixed in-degree)", CORRECT),
        "published": lambda data: _reach(data, "`reach-published` (the published rule, other draws)", {}),
        "fig5": published_report.fig5,
        "fig6": published_report.fig6,
        "fig6_nest": lambda data: published_report.fig6_nest(data, results.get("fig6", {}).get("found")),
        "published_seeds": published_report.published_seeds,
        "amplitudes": _amplitudes,
        "rest": _rest,
        "simulators": lambda data: _simulators(data, "reach"),
        "strengths": _strengths,
        "large": _large,
        "simulators_large": lambda data: _simulators(data, "large"),
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


def _reach(data: Mapping[str, Any], title: str, wanted: Mapping[str, float]) -> Table:
    n = len(data["wirings"])
    rows: list[Row] = []
    for c in CONDITIONS:
        rows += _decision_rows(c, data["conditions"][c], wanted.get(c))
        rows += _cortex_rows(c, data["cortex"][c], data["fano_change"][c])
        if "selected" in data:  # older results lack the authors' measures
            rows += _selected_rows(c, data["selected"][c])
    rows += _contrast_rows(data)
    return [
        f"### {title}: {n} wirings, {data['conditions']['1']['trials'] // n} trials a condition each",
        "",
        *table(("measure", "here [95 %]", "expected", "reached", "published model"), rows),
        "",
        "Correct decisions by wiring:",
        "",
        *table(("wiring", *CUED), _wiring_rows(data["wirings"])),
        "",
        *_thresholds(data["thresholds"]),
    ]


def _decision_rows(condition: str, row: Mapping[str, Any], wanted: float | None) -> Iterator[Row]:
    """Yield the decisions of the brain and the reaches of the hand in the trials of a condition."""
    cued = f"{condition} cued"
    expected = "" if wanted is None else f"≥ {wanted:.0%}"
    count, trials = published.CORRECT[condition], published.TRIALS
    correct = f"{count / trials:.2%} within 500 ms ({count} of {trials})"
    for name, key, value in (("decision", "decision_correct", correct), ("hand", "hand_correct", "")):
        passed = "" if wanted is None else yes(row[key]["mean"] >= wanted)
        yield f"{name} correct, {cued}", percent(row[key]), expected, passed, value
    rest = f"with wrong and later ones {1 - count / trials:.2%}"
    yield f"no decision, {cued}", percent(row["decision_none"]), "", "", rest
    median_ms = f"{published.MEDIAN_MS[condition]} (monkey {published.MONKEY_MS[condition]})"
    yield f"median decision time, {cued} (ms)", number(row["decision_ms"], 0), "", "", median_ms
    yield f"median reaction of the hand, {cued} (ms)", number(row["reaction_ms"], 0), "", "", ""


def _cortex_rows(condition: str, measures: Mapping[str, Any], change: Mapping[str, Any]) -> Iterator[Row]:
    """Yield variability, decoding and rates of the cortex in the trials of a condition."""
    cued = f"{condition} cued"
    yield f"change of Fano factor at +500 ms, {cued}", number(change, 2), "", "", ""
    low, high = DECODING[condition]
    accuracy = measures["decoding_prepared"]
    passed = "" if accuracy["mean"] is None else yes(low <= accuracy["mean"] <= high)
    yield f"decoding at +500 ms, {cued}", number(accuracy, 2), f"{low:.2f} … {high:.2f}", passed, ""
    yield f"CV2, {cued}", _before_and_prepared(measures, "cv2", 2), "", "", ""
    yield f"rate of E, {cued} (Hz)", _before_and_prepared(measures, "rate_hz", 1), "", "", ""


def _selected_rows(condition: str, measures: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the authors' measures, for the pairs and units selected by their criteria."""
    of_pairs, of_units = f"of pairs ≥ 5 Hz, {condition} cued", f"of units in all conditions, {condition} cued"
    value = f"{published.FANO_CHANGE[condition]:+.2f}"
    yield f"change of Fano factor {of_units}", number(measures["fano_change"], 2), "", "", value
    accuracy, value = measures["decoding_prepared"], f"{published.DECODING[condition]:.2f}"
    yield f"decoding of units ≥ 5 Hz, {condition} cued", number(accuracy, 2), "", "", value
    value = f"{published.CV2_BEFORE:.2f} → {published.CV2[condition]:.2f}"
    yield f"CV2 {of_units}", _before_and_prepared(measures, "cv2", 2), "", "", value
    value = f"{published.RATE_BEFORE_HZ:.1f} → {published.RATE_HZ[condition]:.1f}"
    yield f"rate {of_pairs} (Hz)", _before_and_prepared(measures, "rate_hz", 1), "", "", value


def _before_and_prepared(measures: Mapping[str, Any], key: str, digits: int) -> str:
    """Return a measure before the preparatory signal and 500 ms after it."""
    return f"{number(measures[f'{key}_before'], digits)} → {number(measures[f'{key}_prepared'], digits)}"


def _contrast_rows(data: Mapping[str, Any]) -> list[Row]:
    changes = {pair: change for pair, change in data["fano_change"].items() if "−" in pair}
    return [
        _contrast(what, pair, change, digits)
        for what, contrasts, digits in (
            ("median decision time (ms)", data["decision_ms_contrasts"], 0),
            ("median reaction of the hand (ms)", data["reaction_ms_contrasts"], 0),
            ("change of Fano factor", changes, 2),
        )
        for pair, change in contrasts.items()
    ]


def _wiring_rows(wirings: Sequence[Mapping[str, float]]) -> list[Row]:
    return [(str(i), *(f"{shares[c]:.0%}" for c in CONDITIONS)) for i, shares in enumerate(wirings, start=1)]


def _thresholds(data: Mapping[str, Any]) -> Table:
    """Return the decisions of other thresholds, and the best thresholds by two criteria."""

    def cell(decided: Mapping[str, Any]) -> str:
        median_ms = plain(decided["median_ms"], "{:.0f} ms")
        return f"{decided['correct']:.0%}, {median_ms}, none {decided['none']:.0%}"

    rows = [(name, *(cell(row[c]) for c in CONDITIONS)) for name, row in data["rows"].items()]
    best = [
        f"{label} is best at {data['best'][name]['threshold']:.2f} ({data['best'][name]['score']:.3f})"
        for name, label in (
            ("precision", "the authors' criterion (mean precision, undecided as a label)"),
            ("recall", "the mean recall over directions"),
        )
        if name in data["best"]
    ]
    return [
        "The same spikes with other decision thresholds (correct, median time, undecided).",
        f"Over all conditions, {', '.join(best)}:",
        "",
        *table(("threshold", *CUED), rows),
    ]


def _contrast(what: str, pair: str, change: Mapping[str, Any], digits: int) -> Row:
    """Return the row of a difference; its sign is expected for targets 1 and 3, and for targets 1 and 2."""
    wanted = pair.startswith("1")
    known = wanted and change["high"] is not None
    passed = yes(change["high"] < 0) if known else ""
    return (f"{what}: {pair} cued", number(change, digits), "below 0" if wanted else "reported", passed, "")


def _amplitudes(data: Mapping[str, Any]) -> Table:
    rows = [
        (name, *(f"{percent(of_network['conditions'][c]['decision_correct'])}, "
                       f"{number(of_network['conditions'][c]['decision_ms'], 0)} ms" for c in CONDITIONS))
        for name, of_network in data.items()
    ]  # fmt: skip
    head = ("network, both signals", *(f"{c} cued: correct, median decision time" for c in CONDITIONS))
    title = "### Amplitude of the signals (at V_th = 15 mV, with which it scales; 0.1 pA as published)"
    return [title, "", *table(head, rows)]


def _rest(data: Mapping[str, Any]) -> Table:
    normal, flat = data["cortex"], data["unclustered"]
    rows = [
        ("least dominance of a cluster", plain(normal["least_dominance"], "{:.1%}"), "≥ 1 %",
         yes((normal["least_dominance"] or 0) >= 0.01)),
        ("median dwell time (ms)", plain(normal["dwell_ms_median"], "{:.0f}"), "50 … 5000",
         yes(50 <= (normal["dwell_ms_median"] or 0) <= 5000)),
        ("time with a dominant cluster", plain(normal["dominated"], "{:.0%}"), "", ""),
        ("rate E, I (Hz)", ", ".join(f"{rate:.1f}" for rate in normal["rate_hz"].values()), "", ""),
        ("CV2, Fano factor", f"{plain(normal['cv2'], '{:.2f}')}, {plain(normal['fano'], '{:.2f}')}", "", ""),
        ("without clusters: highest rate in 50 ms over the mean", plain(flat["highest_over_mean"], "{:.2f}"),
         "≤ 3", yes((flat["highest_over_mean"] or 99) <= 3)),
        ("without clusters: rate E, I (Hz)", ", ".join(f"{r:.1f}" for r in flat["rate_hz"].values()), "", ""),
        ("without clusters: CV2, Fano factor",
         f"{plain(flat['cv2'], '{:.2f}')}, {plain(flat['fano'], '{:.2f}')}", "", ""),
    ]  # fmt: skip
    return ["### `cortex` at rest", "", *table(("measure", "here", "expected", "reached"), rows)]


def _strengths(data: Mapping[str, Any]) -> Table:
    rows = []
    for name, of_network in data.items():
        rest = of_network["rest"]
        rows.append(
            (
                name,
                ", ".join(f"{rate:.1f}" for rate in rest["rate_hz"].values()),
                plain(rest["least_dominance"], "{:.1%}"),
                plain(rest["dwell_ms_median"], "{:.0f}"),
                plain(rest["highest_over_mean"], "{:.1f}"),
                *(percent(of_network["conditions"][c]["decision_correct"]) for c in CONDITIONS),
            )
        )
    head = ("network, J_E+", "E, I (Hz)", "least dominance", "dwell (ms)", "highest over mean")
    return [
        "### Strength of the clusters: rest and task",
        "",
        *table((*head, *(f"correct, {c} cued" for c in CONDITIONS)), rows),
    ]


def _large(data: Mapping[str, Any]) -> Table:
    rows = []
    for name, of_condition in data["conditions"].items():
        among = of_condition["decision_correct_among_cued"]
        chance = {"1": "", "all": ""}.get(name, f"{1 / int(name):.2f}" if name.isdigit() else "")
        overall = yes((of_condition["decision_correct"]["low"] or 0) > 1 / 6)
        above = yes((among["low"] or 0) > 1 / int(name)) if chance else ""
        rows.append((name, str(of_condition["trials"]), percent(of_condition["decision_correct"]), overall,
                     percent(among), chance, above, percent(of_condition["hand_correct"]),
                     number(of_condition["decision_ms"], 0)))  # fmt: skip
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
    rates = ", ".join(f"{name} {rate:.1f} Hz" for name, rate in data["rate_hz"].items())
    return [
        f"### `large` in the task, {data['wirings']} wirings ({rates})",
        "",
        *table((*head, "median decision (ms)"), rows),
    ]


def _simulators(data: Mapping[str, Any], network: str) -> Table:
    keys = ("rate_E_hz", "rate_I_hz", "cv2", "fano", "correct")
    rows = [
        (
            name,
            *(f"{rates[key]['mean']:.3g}" for key in keys),
            str(len(rates["correct"]["animals"])),
        )
        for name, rates in data["simulators"].items()
    ]
    lines = [
        f"### Simulators, `{network}`: means over seeds",
        "",
        *table(("simulator", "E (Hz)", "I (Hz)", "CV2", "Fano factor", "correct", "seeds"), rows),
    ]
    differences = [
        (name, number(gap, 3), f"{gap['relative']:+.1%}", yes(gap["agree"]))
        for name, gap in data["differences"].items()
    ]
    if differences:
        head = ("difference", "mean [95 %]", "relative", "within 5 %, or zero in the interval")
        lines += ["", *table(head, differences)]
    return lines
