"""The odor code of Kenyon cells, and the rates of all populations with and without an odor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethospike.scenarios.analysis.group_statistics import interval

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

KENYON_CELLS = "KC"
ACTIVE_HZ = 1.0
"""Rate from which a Kenyon cell counts as active. Chosen here: in 20 s a cell that fires once or twice by
chance is not."""
BIN_S = 0.05
"""Bin in which spikes are counted for the sparseness over time (s). Chosen here: long against a
neuron's 2 ms of refractoriness, and short against its adaptation of 1 s."""


def sparseness(rates_hz: NDArray[np.floating]) -> float:
    """Return the sparseness of a population after Treves & Rolls, 0 (all equal) … 1 (one cell active).

    It is (1 − ⟨r⟩²/⟨r²⟩) / (1 − 1/n) (Vinje & Gallant 2000, Science 287:1273); NaN without a spike. Over the
    bins of a response instead of cells, it is temporal sparseness (Betkiewicz, Lindner and Nawrot 2020,
    eNeuro 7: ENEURO.0305-18.2020): 1 if all spikes are in one bin.

    Examples
    --------
    >>> sparseness(np.array([5.0, 0.0, 0.0, 0.0]))
    1.0
    """
    squares = float(np.mean(np.square(rates_hz, dtype=float)))
    if squares == 0.0:
        return float("nan")
    return float((1.0 - np.mean(rates_hz) ** 2 / squares) / (1.0 - 1.0 / len(rates_hz)))


def overlap(first_hz: NDArray[np.floating], second_hz: NDArray[np.floating]) -> float:
    """Return the cosine of two population codes; NaN where one is silent."""
    norm = float(np.linalg.norm(first_hz) * np.linalg.norm(second_hz))
    return float(first_hz @ second_hz) / norm if norm else float("nan")


def code_measures(recording: Recording, windows: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Return measures of the Kenyon cells' code in some windows.

    Parameters
    ----------
    recording : Recording
    windows : dict of str to (float, float)
        Begin and end (s) by the name of the odor; the first two are compared.

    Returns
    -------
    dict
        For each odor the mean rate (Hz), the share of active cells, and the sparseness over cells and over
        bins of `BIN_S`; for two odors the share of active cells that both have and the cosine of both codes;
        each as `interval`.
    """
    rates = {name: _rates_hz(recording, *window) for name, window in windows.items()}
    measures: dict[str, Any] = {}
    for name, rate in rates.items():
        measures[f"kc_rate_hz {name}"] = interval(rate.mean(axis=1))
        measures[f"kc_active {name}"] = interval((rate >= ACTIVE_HZ).mean(axis=1))
        spread = np.array([sparseness(of_animal) for of_animal in rate])
        if np.isfinite(spread).all():
            measures[f"kc_sparseness {name}"] = interval(spread)
        course = np.array([sparseness(counts) for counts in _binned(recording, *windows[name])])
        if np.isfinite(course).all():
            measures[f"kc_temporal_sparseness {name}"] = interval(course)
    if len(rates) >= 2:
        first, second = list(rates.values())[:2]
        both = ((first >= ACTIVE_HZ) & (second >= ACTIVE_HZ)).sum(axis=1)
        either = ((first >= ACTIVE_HZ) | (second >= ACTIVE_HZ)).sum(axis=1)
        if either.all():
            measures["kc_shared"] = interval(both / either)
        cosines = np.array([overlap(a, b) for a, b in zip(first, second, strict=True)])
        if np.isfinite(cosines).all():
            measures["kc_cosine"] = interval(cosines)
    return measures


def _rates_hz(recording: Recording, start_s: float, stop_s: float) -> NDArray[np.float64]:
    """Return the rate of each Kenyon cell of each animal in a window, shape (animals, cells)."""
    table = recording.spikes(KENYON_CELLS, range(recording.animals), start_s, stop_s)
    cells = np.asarray(recording.neurons(KENYON_CELLS))
    counts = np.zeros((recording.animals, len(cells)))
    np.add.at(counts, (table.animal, table.neuron - cells[0]), 1.0)
    rates: NDArray[np.float64] = counts / (stop_s - start_s)
    return rates


def _binned(recording: Recording, start_s: float, stop_s: float) -> NDArray[np.float64]:
    """Return the spikes of all Kenyon cells in each bin of a window, shape (animals, bins)."""
    bins = max(2, round((stop_s - start_s) / BIN_S))
    table = recording.spikes(KENYON_CELLS, range(recording.animals), start_s, stop_s)
    step = table.step - round(start_s * 1000.0 / recording.dt_ms)  # 1 … steps of the window
    place = (step - 1) * bins // round((stop_s - start_s) * 1000.0 / recording.dt_ms)
    counts = np.zeros((recording.animals, bins))
    np.add.at(counts, (table.animal, place), 1.0)
    return counts


def population_rates(recording: Recording, windows: dict[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Return the mean rate of each population (Hz) in some control steps, by the name of the window."""
    counts = recording.counts
    sizes = {name: len(np.asarray(recording.neurons(name))) for name in counts["group"].values.tolist()}
    return {
        f"rate_hz {population} {name}": interval(
            counts.sel(group=population).values[rows].mean(axis=0) / (size * recording.interval_s)
        )
        for name, rows in windows.items()
        for population, size in sizes.items()
    }
