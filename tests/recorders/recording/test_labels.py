"""Labels of neurons: stored once, read back, and usable where spikes are chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_run import SyntheticRun

from ethospike.errors import RecordingError
from ethospike.recorders.recording import Recording, open_recording

CLASSES = ("KC", "KC", "PN", "", "KC", "PN", "E", "E", "E", "")
SIDES = ("left", "right") * 5


@pytest.fixture
def labelled_run(tmp_path: Path) -> Recording:
    run = SyntheticRun()
    run.layout = replace(run.layout, labels={"class": CLASSES, "side": SIDES})
    path = tmp_path / "recording.zarr"
    run.write(path, range(40))
    return open_recording(path)


def test_labels_are_read_back(labelled_run: Recording) -> None:
    assert labelled_run.layout.labels == {"class": CLASSES, "side": SIDES}


def test_spikes_of_labelled_neurons(labelled_run: Recording) -> None:
    everything = labelled_run.spikes()
    chosen = labelled_run.spikes(label={"class": "KC"})
    assert len(chosen.neuron) > 50
    np.testing.assert_array_equal(chosen.neuron, everything.neuron[np.isin(everything.neuron, [0, 1, 4])])
    both = labelled_run.spikes(label={"class": ["KC", "PN"], "side": "right"})
    assert set(both.neuron.tolist()) == {1, 5}
    within = labelled_run.spikes("E", label={"side": "left"})
    assert set(within.neuron.tolist()) == {6, 8}


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"clas": "KC"}, "no labels 'clas'; did you mean 'class'"),
        ({"class": "KCs"}, "no neuron has the class 'KCs'; did you mean 'KC'"),
        ({}, "at least one kind of label"),
    ],
)
def test_labels_that_are_not_there_are_told(
    labelled_run: Recording, label: dict[str, str], message: str
) -> None:
    with pytest.raises(RecordingError, match=message):
        labelled_run.spikes(label=label)


def test_labels_are_numbers_with_categories_and_no_root_attributes(labelled_run: Recording) -> None:
    """Root attributes are written with every commit; labels of 139,000 neurons are written once."""
    root = json.loads((labelled_run.path / "zarr.json").read_text())
    assert "labels" not in root["attributes"]["layout"]
    array = labelled_run.to_zarr()["neurons/class"]
    assert array.attrs["categories"] == ["E", "KC", "PN"]
    assert np.asarray(array[:]).tolist() == [1, 1, 2, -1, 1, 2, 0, 0, 0, -1]
