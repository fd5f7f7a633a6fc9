"""From a recording to an answer: the firing rate of each population, and the path of an animal.

Run it with `python read_recording.py runs/RUN`, after `ethospike run odor-conditioning`.
"""

from __future__ import annotations

import sys

import numpy as np

from ethospike.recorders.recording import open_recording


def mean_rates_hz(run: str) -> dict[str, float]:
    """Return the mean firing rate of each population over all animals and the whole run."""
    recording = open_recording(run)
    duration_s = float(recording.behavior["time"][-1])
    rates = {}
    for population in recording.layout.populations:
        n_spikes = len(recording.spikes(population.name).step)
        rates[population.name] = n_spikes / population.size / recording.layout.animals / duration_s
    return rates


def path_length_mm(run: str, animal: int = 0) -> float:
    """Return the length of the path of an animal's head."""
    position_mm = open_recording(run).behavior["position_mm"].isel(animal=animal).values
    return float(np.linalg.norm(np.diff(position_mm, axis=0), axis=1).sum())


if __name__ == "__main__":
    for name, rate_hz in mean_rates_hz(sys.argv[1]).items():
        print(f"{name}: {rate_hz:.2f} Hz")
    print(f"path of animal 0: {path_length_mm(sys.argv[1]):.0f} mm")
