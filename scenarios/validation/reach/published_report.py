"""Tables of the networks behind Figs 5 and 6 of Rostami et al. 2024, with the published numbers.

The results are those of `published`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scipy import stats

from ethospike.scenarios.validation.cells import Row, Table, number, plain, table, yes
from ethospike.scenarios.validation.reach import published_values as published
from ethospike.scenarios.validation.reach.published_values import CONDITIONS

CUED = tuple(f"{condition} cued" for condition in CONDITIONS)
COMPARED_MS = (-50, 50, 200, 500, 950, 1200)
"""Windows of the comparison of decoding; the two others of `published_values.FIG5_MS` lie on plateaus."""


def fig5(data: Mapping[str, Any]) -> Table:
    """Return the tables of `published.fig5`."""
    rows = [row for condition in CONDITIONS for row in _fig5_rows(condition, data)]
    gaps = [
        abs(_mean(data, condition, f"decoding_{time}") - _published_decoding(condition, time))
        for condition in CONDITIONS
        for time in COMPARED_MS
    ]
    changes = [_mean(data, condition, "fano_change") for condition in CONDITIONS]
    in_order = yes(changes == sorted(changes))
    decided = data["decisions"]
    return [
        f"### `reach-fig5`, the network of Fig 5: {len(data['runs'])} runs of {data['trials']} trials a "
        "condition",
        "",
        "Authors' measures. The interval is that in which 95 % of single runs are expected; the published",
        "number is one run.",
        "",
        *table(
            ("measure", "mean [95 % of single runs]", "first two runs", "published", "difference", "inside"),
            rows,
        ),
        "",
        f"Decoding, {len(gaps)} values: mean absolute difference {sum(gaps) / len(gaps):.3f}, largest "
        f"{max(gaps):.3f}. Changes of the Fano factor in the published order: {in_order}.",
        "",
        f"Decisions of the same runs at the threshold {published.THRESHOLD}:",
        "",
        *table(("", *CUED), _decision_rows(decided)),
    ]


def _fig5_rows(condition: str, data: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the measures of a condition."""
    for label, key, digits, value in (
        ("rate before (Hz)", "rate_hz_before", 1, published.RATE_BEFORE_HZ),
        ("rate at +500 ms (Hz)", "rate_hz_prepared", 1, published.RATE_HZ[condition]),
        ("CV2 before", "cv2_before", 2, published.CV2_BEFORE),
        ("CV2 at +500 ms", "cv2_prepared", 2, published.CV2[condition]),
        ("change of Fano factor at +500 ms", "fano_change", 2, published.FANO_CHANGE[condition]),
        *(
            (f"decoding at {time:+d} ms", f"decoding_{time}", 2, _published_decoding(condition, time))
            for time in COMPARED_MS
        ),
    ):
        estimate = data["table"][condition][key]
        two = ", ".join(plain(run[condition][key], f"{{:.{digits}f}}") for run in data["runs"][:2])
        known, gap, inside = estimate["mean"], "–", ""
        if known is not None:
            gap = f"{round(known - value, digits) + 0.0:+.{digits}f}"  # + 0.0: no minus before a zero
        if estimate["low"] is not None:
            inside = yes(estimate["low"] <= value <= estimate["high"])
        yield f"{label}, {condition} cued", number(estimate, digits), two, f"{value:.{digits}f}", gap, inside
    pairs, units = (data["table"][condition][key]["mean"] for key in ("pairs", "decoded_units"))
    yield (
        f"selected pairs, decoded units, {condition} cued",
        f"{plain(pairs, '{:.0f}')}, {plain(units, '{:.0f}')}",
        *[""] * 4,
    )


def _mean(data: Mapping[str, Any], condition: str, key: str) -> float:
    value = data["table"][condition][key]["mean"]
    return float("nan") if value is None else float(value)


def _published_decoding(condition: str, time_ms: int) -> float:
    return published.DECODING_COURSE[condition][published.FIG5_MS.index(time_ms)]


def _decision_rows(decided: Mapping[str, Any]) -> list[Row]:
    """Return outcomes and times of decisions, with a column for each condition."""
    rows: list[Row] = []
    for label, key in (
        ("correct within 500 ms", "correct"),
        ("correct later", "late"),
        ("wrong", "wrong"),
        ("undecided", "undecided"),
    ):
        rows.append((label, *(_count(decided[c], key) for c in CONDITIONS)))
    for label, key in (("median", "median_ms"), ("mean", "mean_ms"), ("standard deviation", "sd_ms")):
        cells = (number(decided[c][key], 0) for c in CONDITIONS)
        rows.append((f"reaction time, {label} (ms)", *cells))
    return rows


def _count(decided: Mapping[str, Any], key: str) -> str:
    share = decided[key]
    return (
        f"{share['count']} of {decided['trials']}: {100 * share['mean']:.1f} "
        f"[{100 * share['low']:.1f}, {100 * share['high']:.1f}] %"
    )


def fig6(data: Mapping[str, Any]) -> Table:
    """Return the tables of `published.fig6`."""
    decided = data["decisions"]
    n = sum(decided[c]["trials"] for c in CONDITIONS)
    first = [_first_bin(decided[c]) for c in CONDITIONS]
    rows = [
        *_decision_rows(decided),
        ("share of them in the first 36 ms", *(plain(share, "{:.2f}") for share in first)),
        (
            "**published**: correct within 500 ms",
            *(_published_correct(c) for c in CONDITIONS),
        ),
        (
            "published: median, mean, sd (ms)",
            *(f"{published.MEDIAN_MS[c]}, {published.MEAN_MS[c]}, {published.SD_MS[c]}" for c in CONDITIONS),
        ),
        ("published: first 36 ms", *(f"{published.FIRST_BIN[c]:.2f}" for c in CONDITIONS)),
        ("monkey: median (ms)", *(str(published.MONKEY_MS[c]) for c in CONDITIONS)),
    ]
    return [
        f"### `reach-fig6`, the network of Fig 6: {n} trials at the threshold {published.THRESHOLD}",
        "",
        *table(("", *CUED), rows),
        "",
        "Thresholds that two criteria choose on these trials (published: .87, by the mean precision);",
        "correct within 500 ms, undecided, median time:",
        "",
        *table(
            ("criterion", "threshold", "score", *CUED),
            [_criterion_row(name, criterion) for name, criterion in data["criteria"].items()],
        ),
    ]


def _published_correct(condition: str) -> str:
    count, trials = published.CORRECT[condition], published.TRIALS
    return f"{count} of {trials}: {100 * count / trials:.2f} %"


def _first_bin(decided: Mapping[str, Any]) -> float | None:
    histogram = decided["histogram"]
    return histogram[0] / sum(histogram) if sum(histogram) else None


def _criterion_row(name: str, criterion: Mapping[str, Any]) -> Row:
    label = {
        "precision": "mean precision, undecided as a label (the authors')",
        "recall": "mean recall over directions",
    }[name]
    cells = [
        f"{decided['correct']['mean']:.0%}, none {decided['undecided']['mean']:.0%}, "
        f"{plain(decided['median_ms']['mean'], '{:.0f} ms')}"
        for decided in criterion["decisions"].values()
    ]
    return (label, f"{criterion['threshold']:.2f}", f"{criterion['score']:.3f}", *cells)


def fig6_nest(data: Mapping[str, Any], numba: Mapping[str, Any] | None) -> Table:
    """Return the comparison of `published.fig6_nest`; `numba` are the results of `fig6`, if known."""
    identity, decisions = data["identity"], data["same_decisions"]
    (nest, n_nest), (other, n_other) = identity["spikes"].items()
    rows = _decision_rows(data["decisions"])
    if numba is not None:
        cells = [f"{compatible(data['decisions'][c], numba['decisions'][c]):.2f}" for c in CONDITIONS]
        rows.append(("p of equal shares correct (Fisher's exact test, `fig6` on Numba)", *cells))
    return [
        "### `reach-fig6` on NEST",
        "",
        f"The first {identity['seconds']:g} s of the task in double precision: {identity['common']:,} spikes",
        f"in common of {n_nest:,} on {nest} and {n_other:,} on {other}. Of {decisions['trials']} trials with",
        f"equal seeds, {decisions['same']} had the same decision on both. On NEST, at the threshold "
        f"{published.THRESHOLD}:",
        "",
        *table(("", *CUED), rows),
    ]


def compatible(left: Mapping[str, Any], right: Mapping[str, Any]) -> float:
    """Return the p-value of equal shares of correct trials (Fisher's exact test)."""
    counts = [[row["correct"]["count"], row["trials"] - row["correct"]["count"]] for row in (left, right)]
    return float(stats.fisher_exact(counts).pvalue)


def published_seeds(data: Mapping[str, Any]) -> Table:
    """Return the table of `published.published_seeds`."""
    rows = []
    for seed, draw in data.items():
        name = f"{seed} (`{draw['network']}`)" if draw["network"] else seed
        cells = [
            ", ".join(f"{decided[key]['mean']:.0%}" for key in ("correct", "wrong", "undecided"))
            for decided in draw["decisions"].values()
        ]
        rows.append((name, f"{max(draw['leading']):.2f}", *cells))
    trials = next(iter(data.values()))["decisions"]["1"]["trials"]
    head = ("seed of NEST 2.20", "share of the strongest cluster")
    return [
        f"### Other draws of the published rule, {trials} trials a condition each",
        "",
        "Share of bins of 100 ms in which the strongest cluster leads; correct within 500 ms, wrong and",
        f"undecided at the threshold {published.THRESHOLD}:",
        "",
        *table((*head, *CUED), rows),
    ]
