"""Labels of neurons: stored once, read back, and usable where spikes are chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygame
import pytest
from synthetic_run import SyntheticRun

from ethospike.errors import RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recording import Recording, open_recording
from ethospike.recorders.view.panels import COLORS, RasterPanel, Window
from ethospike.recorders.view.player import Player
from ethospike.recorders.view.source import RecordingSource

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


# -- the recorder -------------------------------------------------------------------------------------


def layout_with_labels():
    return replace(SyntheticRun().layout, labels={"class": CLASSES, "side": SIDES})


def test_potentials_of_labelled_neurons_are_recorded() -> None:
    layout = layout_with_labels()
    assert RecorderConfig(voltages=("class=KC",)).watched(layout) == (0, 1, 4)
    assert RecorderConfig(voltages=("class=KC, side=right",)).watched(layout) == (1,)
    assert RecorderConfig(voltages=("E[0]", "class=E")).watched(layout) == (6, 7, 8)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("klass=KC", "no labels 'klass'; did you mean 'class'"),
        ("class=KCs", "did you mean 'KC'"),
        ("class=", "expected labels such as"),
        ("class=KC,side", "expected labels such as"),
        ("KC", "expected a neuron"),
    ],
)
def test_potentials_of_unknown_labels_are_refused(name: str, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        RecorderConfig(voltages=(name,)).watched(layout_with_labels())


# -- the view -----------------------------------------------------------------------------------------


def test_the_raster_is_divided_by_label(labelled_run: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.font.init()
    source = RecordingSource(labelled_run)
    player = Player(source)
    panel = next(panel for panel in player.screen.panels if isinstance(panel, RasterPanel))
    last, surface = labelled_run.n_steps - 1, pygame.Surface((600, 400))

    def drawn() -> tuple[str, np.ndarray]:
        window = Window(last, labelled_run.n_steps, 16, labelled_run.layout, player.state.grouping)
        panel.draw(surface, surface.get_rect(), source, window)
        return panel.title(source, window), pygame.surfarray.array3d(surface)

    def band_heights(pixels: np.ndarray) -> list[int]:
        """Return the pixel rows of spikes in each color."""
        colors = [(pixels == np.array(color)).all(axis=2) for color in COLORS]
        return [int(color[120:].any(axis=0).sum()) for color in colors]

    by_population, pixels = drawn()
    player.press("l", surface)
    by_class, classes = drawn()
    assert "by class" in by_class
    assert "by" not in by_population
    assert (classes != pixels).any()
    assert all(height > 0 for height in band_heights(classes)[:4])  # no label, E, KC, PN
    player.press("l", surface)
    assert "by side" in drawn()[0]
    assert sum(height > 0 for height in band_heights(drawn()[1])) == 2
    player.press("l", surface)
    np.testing.assert_array_equal(drawn()[1], pixels)
