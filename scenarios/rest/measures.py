"""Measures of a cortex at rest: dominance of clusters, rates and irregularity.

The measures of a recording are numbers, or lists with an entry for each animal or cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ethospike.scenarios.analysis import spike_statistics
from ethospike.scenarios.analysis.sampling import mean_over_neurons, sample_of, sampled_spikes
from ethospike.scenarios.analysis.spike_statistics import Least
from ethospike.scenarios.rest.config import BIN_MS, RestConfig
from ethospike.scenarios.run.omissions import leaving_out, note_unlisted_animals

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

WARM_UP_S = 1.0
"""Time left out at the beginning, as in the published grid search (GN: 1 s, then 9 s are measured): the
network forgets its initial voltages. Rates of shorter runs are those of the whole run."""
PIECE_MS = 2000.0
"""Length of the pieces into which the recording is cut; they stand in for trials."""
OF_DOMINANCE = (
    "dominated",
    "clusters_seen",
    "least_dominance",
    "most_dominance",
    "dwell_ms_median",
    "dwell_ms_longest",
    "highest_over_mean",
)
"""Measures of `dominance` that are averaged over animals."""
MIN_RATE_HZ = 1.0
"""Lowest rate of neurons that count; others have too few intervals for a CV2."""


def measure(recording: Recording, config: RestConfig) -> dict[str, Any]:
    """Return the measures of a cortex at rest.

    Returns
    -------
    dict
        `rate_hz` of E and I, `cv2` and `fano` (windows of 400 ms) of E, `dominance` (share of time of each
        cluster), its `least_dominance` and `most_dominance`, `clusters_seen` (number that ever
        dominate), `dominated` (share of time with a dominant cluster), `dwell_ms_median` and
        `dwell_ms_longest`, `highest_over_mean` (largest rate of a cluster in 50 ms over the mean rate); all
        but the rates are None where the recording is too short. `left_out` is present if these need spikes
        that were not listed.
    """
    first = round(WARM_UP_S * 1000.0 / recording.layout.control_interval_ms)
    first = first if first < recording.n_steps else 0
    counted_s = recording.duration_s * (recording.n_steps - first) / recording.n_steps
    rates = recording.counts.isel(time=slice(first, None)).sum(dim="time")
    size = recording.counts["neurons"]
    names = [str(group) for group in recording.counts["group"].values]
    rate_hz = {}
    for population in recording.layout.populations:
        members = [name for name in names if name.split("[")[0] == population.name]
        spikes = float(rates.sel(group=members).sum())
        neurons = float(size.sel(group=members).sum()) * recording.animals
        rate_hz[population.name] = spikes / neurons / counted_s
    measured: dict[str, Any] = {"rate_hz": rate_hz}
    with leaving_out(measured, "cv2, fano"):
        measured |= irregularity(recording)
        note_unlisted_animals(measured, "cv2, fano", recording)
    animals = [dominance(cluster_rates(recording, animal)) for animal in range(recording.animals)]
    for key in OF_DOMINANCE:
        known = [of_animal[key] for of_animal in animals if of_animal[key] is not None]
        measured[key] = float(np.mean(known)) if known else None
    measured["dominance"] = [of_animal["dominance"] for of_animal in animals]
    return measured


def cluster_rates(recording: Recording, animal: int) -> NDArray[np.float64]:
    """Return the rates of the excitatory clusters of an animal in Hz, shape (bins of 50 ms, clusters)."""
    rates = recording.rates(BIN_MS / 1000.0)
    names = [str(group) for group in rates["group"].values if str(group).split("[")[0] == "E"]
    values: NDArray[np.float64] = rates.sel(group=names).values[:, animal].astype(np.float64)
    return values[round(WARM_UP_S * 1000.0 / BIN_MS) :]


def dominance(rate_hz: NDArray[np.float64]) -> dict[str, Any]:
    """Return the dominant clusters and the lengths of their dominance.

    Parameters
    ----------
    rate_hz : ndarray, shape (bins of 50 ms, clusters)
    """
    clusters = rate_hz.shape[1]
    if not len(rate_hz) or not rate_hz.any():
        return {**dict.fromkeys(OF_DOMINANCE), "dominance": [0.0] * clusters}
    dominant = spike_statistics.dominant_cluster(rate_hz)
    shares = np.bincount(dominant[dominant >= 0], minlength=clusters) / len(dominant)
    _, dwell = spike_statistics.dwell_times(dominant)
    return {
        "dominance": shares.tolist(),
        "dominated": float(shares.sum()),
        "clusters_seen": int((shares > 0.0).sum()),
        "least_dominance": float(shares.min()),
        "most_dominance": float(shares.max()),
        "dwell_ms_median": float(np.median(dwell)) * BIN_MS if len(dwell) else None,
        "dwell_ms_longest": float(dwell.max()) * BIN_MS if len(dwell) else None,
        "highest_over_mean": float(rate_hz.max() / rate_hz.mean()),
    }


def irregularity(recording: Recording) -> dict[str, float | None]:
    """Return the mean CV2 and Fano factor of excitatory neurons, over pieces of 2 s instead of trials.

    Raises
    ------
    NotRecorded
        When no animal has listed spikes of them; animals without listed spikes are left out.
    """
    begin_ms, end_ms = WARM_UP_S * 1000.0, recording.duration_s * 1000.0
    event_ms = np.arange(begin_ms, end_ms - PIECE_MS + 1e-6, PIECE_MS)
    population = next(p for p in recording.layout.populations if p.name == "E")
    if len(event_ms) < 2:
        return {"cv2": None, "fano": None}
    index, n_neurons = sample_of(population)
    window_ms, one_group = (0.0, PIECE_MS), np.zeros(len(event_ms))
    cv2, fano = [], []
    for time_ms, neuron in sampled_spikes(recording, population.name, index).values():
        spikes = spike_statistics.align(time_ms, neuron, event_ms, window_ms)
        of_neurons = spike_statistics.cv2_over_time(
            spikes, n_neurons, one_group, window_ms, PIECE_MS, PIECE_MS, Least(trials=2, rate_hz=MIN_RATE_HZ)
        )
        cv2.append(mean_over_neurons(of_neurons).mean())
        width = spike_statistics.WINDOW_MS
        counts = spike_statistics.bin_counts(spikes, len(event_ms), n_neurons, window_ms, width)
        fano.append(mean_over_neurons(spike_statistics.fano_factor(counts)).mean())
    means = {"cv2": float(np.mean(cv2)), "fano": float(np.mean(fano))}
    return {name: value if np.isfinite(value) else None for name, value in means.items()}


def sentence(summary: dict[str, Any]) -> str:
    """Return the result of the run in words."""
    rates = ", ".join(f"{name} {rate:.1f} Hz" for name, rate in summary["rate_hz"].items())
    if summary["dwell_ms_median"] is None:
        return f"Rates: {rates}. No cluster dominated."
    return (
        f"Rates: {rates}. A cluster dominated {summary['dominated']:.0%} of the time, each at least "
        f"{summary['least_dominance']:.1%}, for {summary['dwell_ms_median']:.0f} ms at a time (median)."
    )
