"""What other libraries read back is what was recorded. Skipped where a library is not installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ethospike.errors import AnalysisNotInstalled, NotRecorded, RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recording import Recording, open_recording, to_neo, to_nwb, to_pynapple

N = 40
REASON = "the extra `analysis` is not installed"

# Warnings of these libraries are theirs.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def recording(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path: Path = tmp_path_factory.mktemp("run") / "recording.zarr"
    run.write(path, range(N))
    return open_recording(path)


def times_of(run: Any, animal: int, neuron: int, start_s: float = 0.0) -> list[float]:
    spikes = [run.record(k).spikes for k in range(N)]
    times = [s.step[(s.animal == animal) & (s.neuron == neuron)] * 1e-4 for s in spikes]
    return [t for t in np.concatenate(times).tolist() if t > start_s + 1e-9]


def positions_of(run: Any, animal: int) -> np.ndarray:
    return np.array([run.record(k).values["position_mm"][animal] for k in range(N)])


def test_pynapple(run: Any, recording: Recording) -> None:
    pytest.importorskip("pynapple", reason=REASON)
    exported = to_pynapple(recording, animal=1)
    spikes: Any = exported["spikes"]
    assert list(spikes.keys()) == list(range(10))
    for neuron in range(10):
        expected = times_of(run, 1, neuron)
        assert len(expected) > 5
        np.testing.assert_allclose(spikes[neuron].times(), expected)
    assert spikes["population"].tolist() == ["KC"] * 6 + ["E"] * 4
    position: Any = exported["position_mm"]
    np.testing.assert_array_equal(position.values, positions_of(run, 1))
    np.testing.assert_allclose(position.times(), np.arange(1, N + 1) * 0.01)


@pytest.mark.parametrize("library", ["pynapple", "neo", "pynwb"])
def test_an_animal_whose_spikes_were_not_listed_is_not_a_silent_one(
    run: Any, tmp_path: Path, library: str
) -> None:
    pytest.importorskip(library, reason=REASON)
    run.write(tmp_path / "recording.zarr", range(N), RecorderConfig(spike_animals=(1,), writer="inline"))
    recording = open_recording(tmp_path)
    assert len(recording.spikes(animal=1)) > 20
    export = {
        "pynapple": lambda animal: to_pynapple(recording, animal),
        "neo": lambda animal: to_neo(recording, animal),
        "pynwb": lambda animal: to_nwb(recording, tmp_path / "file.nwb", animal),
    }[library]
    with pytest.raises(NotRecorded, match="the spikes of animal 0 were not listed, only those of 1"):
        export(0)
    assert not (tmp_path / "file.nwb").exists()


def test_pynapple_of_a_part(run: Any, recording: Recording) -> None:
    pytest.importorskip("pynapple", reason=REASON)
    exported: Any = to_pynapple(recording, 0, "E", 0.1, 0.4)
    assert list(exported["spikes"].keys()) == [6, 7, 8, 9]
    np.testing.assert_allclose(exported["spikes"][7].times(), times_of(run, 0, 7, start_s=0.1))
    np.testing.assert_allclose(exported["reward"].times(), np.arange(11, N + 1) * 0.01)


def test_neo(run: Any, recording: Recording, tmp_path: Path) -> None:
    neo = pytest.importorskip("neo", reason=REASON)
    file = tmp_path / "block.pkl"
    neo.io.PickleIO(str(file)).write_block(to_neo(recording, animal=0))
    (segment,) = neo.io.PickleIO(str(file)).read_block().segments
    assert [train.name for train in segment.spiketrains[5:8]] == ["KC[5]", "E[0]", "E[1]"]
    for neuron, train in enumerate(segment.spiketrains):
        np.testing.assert_allclose(train.rescale("s").magnitude, times_of(run, 0, neuron))
        assert float(train.t_stop.rescale("s")) == pytest.approx(0.4)
    signals = {signal.name: signal for signal in segment.analogsignals}
    np.testing.assert_array_equal(signals["position_mm"].magnitude, positions_of(run, 0))
    assert signals["position_mm"].annotations["units_text"] == "mm"
    np.testing.assert_allclose(
        signals["position_mm"].times.rescale("s").magnitude, np.arange(1, N + 1) * 0.01
    )


def test_nwb(run: Any, recording: Recording) -> None:
    pynwb = pytest.importorskip("pynwb", reason=REASON)
    started = "2026-01-02T03:04:05+00:00"
    folder = recording.path.parent
    (folder / "run.json").write_text(json.dumps({"scenario": "odor-conditioning", "started": started}))
    file = to_nwb(recording, folder / "animal.nwb", animal=1)
    with pynwb.NWBHDF5IO(str(file), "r") as io:
        nwb = io.read()
        assert nwb.session_start_time.isoformat() == started
        assert len(nwb.units) == 10
        for neuron in range(10):
            np.testing.assert_allclose(nwb.units["spike_times"][neuron], times_of(run, 1, neuron))
        assert list(nwb.units["population"][:]) == ["KC"] * 6 + ["E"] * 4
        position = nwb.processing["behavior"]["position_mm"]
        np.testing.assert_array_equal(position.data[:], positions_of(run, 1))
        assert position.unit == "mm"
    with pytest.raises(RecordingError, match="exists already and is not overwritten"):
        to_nwb(recording, file)


def test_an_export_that_breaks_off_can_be_repeated(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pynwb = pytest.importorskip("pynwb", reason=REASON)
    write = pynwb.NWBHDF5IO.write

    def breaks_off(self: Any, *arguments: Any) -> None:
        write(self, *arguments)
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(pynwb.NWBHDF5IO, "write", breaks_off)
        with pytest.raises(OSError, match="no space left"):
            to_nwb(recording, tmp_path / "animal.nwb")
    assert not list(tmp_path.iterdir())
    assert to_nwb(recording, tmp_path / "animal.nwb") == tmp_path / "animal.nwb"
    assert [file.name for file in tmp_path.iterdir()] == ["animal.nwb"]


@pytest.mark.parametrize(
    ("module", "export"),
    [
        ("pynapple", lambda r, folder: to_pynapple(r)),
        ("neo", lambda r, folder: to_neo(r)),
        ("pynwb", lambda r, folder: to_nwb(r, folder / "x.nwb")),
    ],
)
def test_an_absent_library_is_named(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, export: Any
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(AnalysisNotInstalled, match=rf"needs '{module}'.*pip install 'ethospike\[analysis\]'"):
        export(recording, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7,), r"there is no animal 7; valid: 0 … 1"),
        ((0, "PN"), r"there is no population 'PN'"),
        ((0, None, 0.3, 0.2), r"expected times within 0 … 0.4 s, got 0.3 … 0.2 s"),
    ],
)
def test_questions_without_an_answer(recording: Recording, arguments: Any, message: str) -> None:
    pytest.importorskip("neo", reason=REASON)
    with pytest.raises(RecordingError, match=message):
        to_neo(recording, *arguments)
