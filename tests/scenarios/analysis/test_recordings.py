"""Answers from a recording, against counting by hand and against pynapple."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ethospike.errors import RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recorder import Layout, PopulationLayout, StepRecord, Variable
from ethospike.recorders.recording import Recording, open_recording, to_pynapple
from ethospike.recorders.zarr_recorder import ZarrRecorder
from ethospike.scenarios.analysis.around_events import (
    event_average,
    event_rates,
    interval_rates,
    sign_changes,
    spike_triggered,
)
from ethospike.scenarios.analysis.tuning import cross_correlograms, tuning_curves
from ethospike.variables import named

N, ANIMALS, PER_STEP = 400, 2, 100
"""Control steps of 10 ms; simulation steps of 0.1 ms in each."""


def signal(k: int) -> float:
    """Return the variable that neuron 1 of each animal follows: a sine with a period of 80 steps."""
    return float(np.sin(2 * np.pi * (k + 0.5) / 80))


def spikes_in(k: int) -> list[tuple[int, int, int]]:
    """Return (step, animal, neuron) in control step k.

    Neuron 0 fires in each tenth step, and neuron 2 follows it by 2 ms. Neuron 1 of animal 0 fires three times
    in each step with a positive signal, that of animal 1 with a negative one.
    """
    first = k * PER_STEP
    rows = []
    for animal in range(ANIMALS):
        if k % 10 == 4:
            rows += [(first + 37, animal, 0), (first + 57, animal, 2)]
        if signal(k) * (1 - 2 * animal) > 0:
            rows += [(first + 11 * i + 1, animal, 1) for i in range(3)]
    return sorted(rows)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path: Path = tmp_path_factory.mktemp("analysis") / "recording.zarr"
    layout = Layout(
        ANIMALS, 0.1, 10.0, PER_STEP,
        {
            "turning": Variable("rad/s", "turning"),
            "position_mm": Variable("mm", "position", ("xy",), (2,), components=named("xy", "mm")),
        },
        populations=(PopulationLayout("A", 0, 1), PopulationLayout("B", 1, 2)),
    )  # fmt: skip
    with ZarrRecorder(path, layout, RecorderConfig(writer="inline")) as recorder:
        for k in range(N):
            columns = np.array(spikes_in(k), np.int64).reshape(-1, 3).T
            spikes = SimpleNamespace(step=columns[0], animal=columns[1], neuron=columns[2])
            values = {
                "turning": np.array([signal(k), -signal(k)]),
                "position_mm": np.array([[k, 2.0 * k], [-k, 0.0]]),
            }
            recorder.record(StepRecord(k, values, spikes=spikes))
    return open_recording(path)


def test_sign_changes_are_moments_of_single_animals(recording: Recording) -> None:
    changes = sign_changes(recording.variable("turning"))
    mine = changes[changes["animal"] == 0]
    # The sine is negative from step 40 of 80 on, and positive again from step 80 on.
    np.testing.assert_allclose(mine["time_s"], (np.arange(40, N, 40) + 1) * 0.01)
    assert mine["upward"].tolist() == [False, True] * 4 + [False]
    other = changes[changes["animal"] == 1]
    assert other["upward"].tolist() == [True, False] * 4 + [True]
    at_zero = xr.DataArray(np.array([[1.0, 0.0, 0.0, -1.0, 0.0, -1.0]]).T, dims=("time", "animal"))
    at_zero = at_zero.assign_coords(time=np.arange(6.0))
    assert sign_changes(at_zero)["time_s"].tolist() == [3.0]
    with pytest.raises(RecordingError, match="expected a variable with the dimensions time and animal"):
        sign_changes(recording.variable("position_mm"))


def test_rates_around_events_are_those_of_each_animal(recording: Recording) -> None:
    changes = sign_changes(recording.variable("turning")).query("upward")
    rates = event_rates(recording, changes["time_s"], changes["animal"], 0.03, 0.02)
    assert rates.dims == ("animal", "lag", "group")
    assert rates["events"].values.tolist() == [4, 5]
    # Neuron 1, of two in the population B, fires three times in 10 ms from the first step above zero on.
    mine = rates.sel(animal=0)
    # Neuron 2 fires as often as neuron 0, which is alone in A.
    neuron_1 = 2 * mine.sel(group="B") - mine.sel(group="A")
    found = [float(neuron_1.sel(lag=lag)) for lag in (-0.03, -0.01, 0.0, 0.01, 0.02)]
    assert found == pytest.approx([0.0, 0.0, 300.0, 300.0, 300.0])


def test_averages_leave_out_events_at_the_ends(recording: Recording) -> None:
    data = recording.behavior[["position_mm"]]
    average = event_average(recording, [0.01, 1.0, 2.0, 4.0], [0, 0, 0, 0], 0.02, 0.02, data)
    assert average["events"].values.tolist() == [2, 0]
    # Steps 99 and 199: the mean of x is 149 at lag 0.
    np.testing.assert_allclose(average["position_mm"].sel(animal=0, xy="x"), [147, 148, 149, 150, 151])
    assert np.isnan(average["position_mm"].sel(animal=1)).all()


def test_trajectories_around_spikes(recording: Recording) -> None:
    paths = spike_triggered(recording, 0, 1, 0.02, 0.01)
    assert paths.dims == ("event", "lag", "xy")
    assert paths.sizes["event"] == N // 10
    np.testing.assert_allclose(paths.sel(xy="x")[7], [2.0, 1.0, 0.0, -1.0])
    absolute = spike_triggered(recording, 0, 1, 0.02, 0.01, relative=False)
    np.testing.assert_allclose(absolute.sel(xy="x")[7], [-72.0, -73.0, -74.0, -75.0])
    assert spike_triggered(recording, 2, 0, 0.0, 4.0).sizes["event"] == 0  # all windows reach too far
    with pytest.raises(RecordingError, match="there is no neuron 3"):
        spike_triggered(recording, 3, 0, 0.0, 0.0)


def test_rates_within_intervals(recording: Recording) -> None:
    intervals = pd.DataFrame(
        {"animal": [0, 1, 0], "start_step": [0, 40, 7], "stop_step": [40, 60, 7]}, index=[5, 6, 9]
    )
    rates = interval_rates(recording, intervals)
    assert rates.index.tolist() == [5, 6, 9]
    assert rates["A"].tolist()[:2] == pytest.approx([4 / 0.4, 2 / 0.2])
    assert rates["B"].tolist()[:2] == pytest.approx([(4 + 120) / 2 / 0.4, (2 + 60) / 2 / 0.2])
    assert rates.iloc[2].isna().all()


def test_tuning_curves_agree_with_pynapple(recording: Recording) -> None:
    nap = pytest.importorskip("pynapple", reason="the extra `analysis` is not installed")
    edges = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    for animal in range(ANIMALS):
        curves = tuning_curves(recording, recording.variable("turning"), edges, animal=animal)
        exported: Any = to_pynapple(recording, animal)
        # pynapple takes the sample nearest to a spike: one at the middle of each control step is its own.
        samples = nap.Tsd(t=(np.arange(N) + 0.5) * 0.01, d=exported["turning"].values[:, 0])
        whole = nap.IntervalSet(0.0, N * 0.01)
        if hasattr(nap, "compute_tuning_curves"):
            theirs = nap.compute_tuning_curves(
                exported["spikes"], samples, bins=[edges], epochs=whole, fs=100.0
            )
            expected = theirs.values.T
        else:  # before pynapple 0.10, which divides the number of samples by the time from first to last
            theirs = nap.compute_1d_tuning_curves(
                exported["spikes"], samples, nb_bins=len(edges) - 1, ep=whole, minmax=(edges[0], edges[-1])
            )
            expected = theirs.values * (N - 1) / N
        assert float(curves.max()) == pytest.approx(300.0)
        np.testing.assert_allclose(curves.values, expected, rtol=1e-6, atol=1e-9)
        assert float(curves["occupancy_s"].sum()) == pytest.approx(N * 0.01)


def test_tuning_curves_by_hand(recording: Recording) -> None:
    turning = recording.variable("turning")
    curves = tuning_curves(recording, turning, [0.0, 0.5, 1.0, 2.0], "B", animal=1)
    assert curves["neuron"].values.tolist() == [1, 2]
    assert curves.sel(neuron=1).values.tolist()[:2] == pytest.approx([300.0, 300.0])
    assert np.isnan(curves.sel(neuron=1)[2])  # the variable never is there
    later = tuning_curves(recording, turning, [-2.0, 0.0, 2.0], "B", animal=0, lag_s=0.4)
    # Half a period later, the neuron fires where the variable was negative.
    assert later.sel(neuron=1).values.tolist() == pytest.approx([300.0, 0.0])
    for edges in ([1.0], [0.0, 0.0, 1.0]):
        with pytest.raises(RecordingError, match="edges: expected at least two ascending numbers"):
            tuning_curves(recording, turning, edges)
    with pytest.raises(RecordingError, match="lag_s: expected a whole number of control steps"):
        tuning_curves(recording, turning, [0.0, 1.0], lag_s=0.015)


def test_cross_correlograms_find_a_delay(recording: Recording) -> None:
    pytest.importorskip("pynapple", reason="the extra `analysis` is not installed")
    rates = cross_correlograms(recording, [2, 0], animal=1, bin_s=0.001, window_s=0.01)
    assert rates.dims == ("reference", "target", "lag")
    course = rates.sel(reference=0, target=2)
    # Neuron 2 follows each spike of neuron 0 by 2 ms: one spike in a bin of 1 ms.
    assert float(course["lag"][int(course.argmax("lag"))]) == pytest.approx(0.002, abs=1e-4)
    assert float(course.max()) == pytest.approx(1000.0)
    assert float(course.sum()) == pytest.approx(1000.0)
    np.testing.assert_allclose(rates.sel(reference=2, target=0), course[::-1])
    assert np.isnan(rates.sel(reference=0, target=0)).all()
    with pytest.raises(RecordingError, match="there is no listed neuron 7"):
        cross_correlograms(recording, [0, 7])
