"""What other libraries read back is what was recorded. Skipped where a library is not installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ethospike.errors import AnalysisNotInstalled, EthospikeError, NotRecorded, RecordingError
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.recording import Recording, Subject, open_recording, to_neo, to_nwb, to_pynapple

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


FLY = Subject("Drosophila melanogaster", age="P5D")


def test_nwb(run: Any, recording: Recording) -> None:
    pynwb = pytest.importorskip("pynwb", reason=REASON)
    started = "2026-01-02T03:04:05+00:00"
    folder = recording.path.parent
    (folder / "run.json").write_text(json.dumps({"scenario": "odor-conditioning", "started": started}))
    file = to_nwb(recording, folder / "animal.nwb", animal=1, subject=FLY)
    with pynwb.NWBHDF5IO(str(file), "r") as io:
        nwb = io.read()
        assert nwb.session_start_time.isoformat() == started
        assert (nwb.subject.species, nwb.subject.sex, nwb.subject.age) == (FLY.species, "U", "P5D")
        assert str(folder) not in nwb.identifier
        assert len(nwb.units) == 10
        assert nwb.units.resolution == pytest.approx(1e-4)
        for neuron in range(10):
            np.testing.assert_allclose(nwb.units["spike_times"][neuron], times_of(run, 1, neuron))
        assert list(nwb.units["population"][:]) == ["KC"] * 6 + ["E"] * 4
        check_series(nwb, run)
        check_tables(nwb, recording)
    with pytest.raises(RecordingError, match="exists already and is not overwritten"):
        to_nwb(recording, file, subject=FLY)
    with pynwb.NWBHDF5IO(str(to_nwb(recording, folder / "0.nwb", subject=FLY)), "r") as io:
        assert io.read().intervals["episode"]["return"][:].tolist() == [9.0, 19.0, 29.0, 39.0]


def check_series(nwb: Any, run: Any) -> None:
    """Compare behavior, stimulus and weights of animal 1 with the run."""
    position = nwb.processing["behavior"]["position_mm"]
    np.testing.assert_array_equal(position.data[:], positions_of(run, 1))
    assert position.unit == "mm"
    # Row k is the end of control step k, at 100 Hz.
    assert (position.starting_time, position.rate, position.timestamps) == (0.01, 100.0, None)
    rates = nwb.stimulus["rate_hz"]
    expected = [run.record(k).stimulus.rate_hz[1] for k in range(N)]
    np.testing.assert_array_equal(rates.data[:], np.float32(expected))
    assert (rates.starting_time, rates.rate) == (0.0, 100.0)
    weights = nwb.processing["misc"]["weights KC>MBONp"]
    # They were read after the first step, and whenever the phase changed: every seven steps.
    assert (weights.starting_time, weights.rate) == (0.01, pytest.approx(1 / 0.07))
    expected = [run.record(k).weights()["KC>MBONp"][1] for k in (0, 7, 14, 21, 28, 35)]
    np.testing.assert_array_equal(weights.data[:], np.float32(expected))


def check_tables(nwb: Any, recording: Recording) -> None:
    """Compare epochs and trials with the tables of the recording."""
    phases = recording.phases().query("animal == 1")
    np.testing.assert_array_equal(nwb.epochs["start_time"][:], phases["start_s"])
    assert [tags[0] for tags in nwb.epochs["tags"][:]] == phases["phase"].tolist()
    trials = recording.trials().query("animal == 1")
    assert len(trials) == 8
    np.testing.assert_array_equal(nwb.trials["stop_time"][:], trials["stop_s"])
    assert nwb.trials["outcome"][:].tolist() == trials["outcome"].tolist()
    assert nwb.trials["rt_ms"][:].tolist() == trials["rt_ms"].tolist()
    assert "episode" not in nwb.intervals  # all are of animal 0


def test_an_archive_accepts_the_file(recording: Recording, tmp_path: Path) -> None:
    """No critical findings and no violations of the archive's rules; suggestions remain."""
    pytest.importorskip("pynwb", reason=REASON)
    inspector = pytest.importorskip("nwbinspector", reason="nwbinspector is not installed")
    file = to_nwb(recording, tmp_path / "animal.nwb", subject=FLY)
    config = inspector.load_config("dandi")
    found = list(inspector.inspect_nwbfile(nwbfile_path=file, config=config))
    assert found  # suggestions, such as to name the experimenter
    assert {m.importance.name for m in found} == {"BEST_PRACTICE_SUGGESTION"}, found
    with pytest.warns(UserWarning, match="archives ask for the subject's species and age"):
        to_nwb(recording, tmp_path / "unnamed.nwb")
    critical = inspector.inspect_nwbfile(nwbfile_path=tmp_path / "unnamed.nwb", config=config)
    assert {m.check_function_name for m in critical if m.importance.name == "CRITICAL"} == {
        "check_subject_age", "check_subject_species_exists"
    }  # fmt: skip


def test_the_subject_is_that_of_the_configuration(run: Any, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb", reason=REASON)
    run.write(tmp_path / "recording.zarr", range(3), RecorderConfig(writer="inline"))
    (tmp_path / "config.toml").write_text('[subject]\nspecies = "Mus musculus"\nage = "P9W"\nsex = "F"\n')
    with pynwb.NWBHDF5IO(str(to_nwb(open_recording(tmp_path), tmp_path / "a.nwb")), "r") as io:
        subject = io.read().subject
        assert (subject.species, subject.age, subject.sex) == ("Mus musculus", "P9W", "F")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"species": "mouse"}, r"subject\.species: expected a Latin name"),
        ({"sex": "female"}, r"subject\.sex: expected one of M, F, U, O, got 'female'"),
        ({"age": "5 days"}, r"subject\.age: expected a duration such as P5D"),
        ({"age": "P"}, r"subject\.age: expected a duration"),
    ],
)
def test_subjects_that_no_archive_takes(entries: dict[str, str], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        Subject(**entries)
    assert Subject("Macaca mulatta", age="P4Y/").age == "P4Y/"


def test_two_exports_to_one_file_at_once(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pynwb = pytest.importorskip("pynwb", reason=REASON)
    write = pynwb.NWBHDF5IO.write

    def meets_another(self: Any, *arguments: Any) -> None:
        write(self, *arguments)
        with monkeypatch.context() as context:
            context.setattr(pynwb.NWBHDF5IO, "write", write)
            to_nwb(recording, tmp_path / "animal.nwb", subject=FLY)

    monkeypatch.setattr(pynwb.NWBHDF5IO, "write", meets_another)
    file = to_nwb(recording, tmp_path / "animal.nwb", subject=FLY)
    assert [path.name for path in tmp_path.iterdir()] == ["animal.nwb"]
    with pynwb.NWBHDF5IO(str(file), "r") as io:
        assert len(io.read().units) == 10


def test_the_home_folder_is_expanded(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pynwb", reason=REASON)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert to_nwb(recording, "~/a.nwb", subject=FLY) == tmp_path / "a.nwb"
    with pytest.raises(EthospikeError, match=r"there is no such home folder; write the folder in full"):
        to_nwb(recording, "~nobody-of-this-name/a.nwb", subject=FLY)


@pytest.mark.parametrize("library", ["pynapple", "neo", "pynwb"])
@pytest.mark.parametrize(("start_s", "stop_s"), [(0.1, 0.2), (0.03, 0.07), (0.012, 0.018), (0.3, 0.37)])
def test_the_ends_of_a_window_are_decided_in_steps(
    make_run: Any, tmp_path: Path, library: str, start_s: float, stop_s: float
) -> None:
    """A spike in the last step of a window is in it, and a window may hold no end of a control step."""
    pytest.importorskip(library, reason=REASON)
    run = make_run(animals=1, spikes=500)  # spikes in nearly every step, so that some are at the very ends
    run.write(tmp_path / "recording.zarr", range(N), RecorderConfig(writer="inline"))
    recording = open_recording(tmp_path)
    last = round(stop_s * 1e4)
    step = recording.spikes().step
    inside = (step > round(start_s * 1e4)) & (step <= last)
    assert step[inside].max() == last
    rows = sum(start_s + 1e-9 < (k + 1) * 0.01 <= stop_s + 1e-9 for k in range(N))
    if library == "pynapple":
        exported: Any = to_pynapple(recording, 0, None, start_s, stop_s)
        spikes, samples = sum(len(exported["spikes"][n]) for n in range(10)), len(exported["reward"])
    elif library == "neo":
        (segment,) = to_neo(recording, 0, None, start_s, stop_s).segments
        spikes = sum(map(len, segment.spiketrains))
        samples = sum(len(signal) for signal in segment.analogsignals if signal.name == "reward")
    else:
        import pynwb

        file = to_nwb(recording, tmp_path / "a.nwb", 0, None, start_s, stop_s, subject=FLY)
        with pynwb.NWBHDF5IO(str(file), "r") as io:
            nwb = io.read()
            spikes = sum(len(times) for times in nwb.units["spike_times"][:])
            samples = len(nwb.processing["behavior"]["reward"].data) if "behavior" in nwb.processing else 0
    assert (spikes, samples) == (inside.sum(), rows)


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
            to_nwb(recording, tmp_path / "animal.nwb", subject=FLY)
    assert not list(tmp_path.iterdir())
    assert to_nwb(recording, tmp_path / "animal.nwb", subject=FLY) == tmp_path / "animal.nwb"
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
