"""Shuffled networks with matched rates."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ethospike.recorders.recording import open_recording
from ethospike.scenarios.arms.network.matching import FIRST_SEED, LEAST_SPIKES, TOLERANCE, WARM_UP_S
from ethospike.scenarios.configuration import configure
from ethospike.scenarios.odor.conditioning import SCENARIO
from ethospike.scenarios.run.runner import run_scenario

WORDS = [
    *("--cycles", "1", "--odor-s", "6", "--blank-s", "1", "--gap-s", "1", "--test-s", "2"),
    *("--checkpoint-every-s", "0", "--recorder.writer", "inline"),
    *("--brain.pn-per-kc-low", "1", "--brain.pn-per-kc-high", "12"),
]
"""Kenyon cells differ much in their inputs, so that shuffling changes how many of them fire."""
ARM = "shuffle ORN>PN PN>KC matched calibration_s=6.0 calibration_animals=4"


def rates_hz(path: Path, animals: int) -> dict[str, float]:
    """The mean rate of each population between the warm-up and the end of the calibration."""
    recording = open_recording(path)
    rates = {}
    for population in recording.layout.populations:
        n = len(recording.spikes(population.name, start_s=WARM_UP_S, stop_s=6.0))
        rates[population.name] = n / (population.size * animals * (6.0 - WARM_UP_S))
    return rates


def test_rates_of_the_calibration_are_those_of_recorded_animals(tmp_path: Path) -> None:
    """The same animals, run and recorded as any others, have the rates that the proof reports."""
    config = configure(SCENARIO, [*WORDS, "--animals", "2", "--arm", ARM])
    proof = run_scenario(SCENARIO, config, tmp_path / "run", quiet=True, draw=False).folder.info["arms"][ARM]
    matching = proof["matching"]
    trial = dataclasses.replace(config, seed=FIRST_SEED, animals=4)
    run_scenario(SCENARIO, dataclasses.replace(trial, arm=()), tmp_path / "intact", quiet=True, draw=False)
    assert rates_hz(tmp_path / "intact", 4) == pytest.approx(matching["intact_hz"])
    gains = [f"set {name} weight*={gain!r}" for name, gain in matching["gains"].items()]
    plain = ARM.split(" matched")[0]
    for folder, arms, key in (("before", (plain,), "before_hz"), ("after", (plain, *gains), "matched_hz")):
        run_scenario(
            SCENARIO, dataclasses.replace(trial, arm=arms), tmp_path / folder, quiet=True, draw=False
        )
        assert rates_hz(tmp_path / folder, 4) == pytest.approx(matching[key])
    loud = {
        name: hz
        for name, hz in matching["intact_hz"].items()
        if hz * 4 * 5.0 * _size(tmp_path / "intact", name) >= LEAST_SPIKES
    }
    assert {"ORN", "PN", "KC"} <= loud.keys()
    assert max(abs(matching["matched_hz"][name] / hz - 1.0) for name, hz in loud.items()) <= TOLERANCE
    assert matching["largest_difference"] <= TOLERANCE


def _size(path: Path, name: str) -> int:
    return len(np.asarray(open_recording(path).neurons(name)))
