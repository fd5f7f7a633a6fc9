"""GeNN's CUDA backend without a GPU: its code compiles, and on the CPU it computes what it should.

The device is that of `cuda_device.py`. What a real one would add is speed, and another order of sums.
"""

from __future__ import annotations

import json
import subprocess
import sys

import cuda_device
import numpy as np
import pytest
from places import HELPERS

from ethospike.brains.network import NEURON_MODELS

pytestmark = pytest.mark.simulator("genn")


def runs(*names, environment):
    """Return what functions of `cuda_runs.py` return in a process with the device."""
    words = [sys.executable, str(HELPERS / "cuda_runs.py"), *names]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory):
    return cuda_device.environment(tmp_path_factory.mktemp("cuda-on-cpu"), on_cpu=True)


RUNS = (
    *("same_as_cpu", "continued"),
    *("batch_wired", "batch_drawn", "batch_weights", "procedural", "procedural_recurrent"),
)


@pytest.fixture(scope="module")
def found(on_cpu):
    """What all runs returned, in one process: each would import everything again."""
    return runs(*RUNS, environment=on_cpu)


def test_the_code_of_every_model_rule_and_wiring_compiles_with_nvcc(tmp_path):
    environment = cuda_device.environment(tmp_path, on_cpu=False)
    names = ("compile_wired", "compile_drawn_batch", "compile_procedural")
    compiled = runs(*names, environment=environment)
    models = [name for name, model in NEURON_MODELS.items() if model.genn is not None]
    assert compiled["compile_wired"] == models
    assert len(models) >= 8
    assert len(compiled["compile_drawn_batch"]) == 6
    assert len(compiled["compile_procedural"]) == 2
    libraries = list((tmp_path / "cache" / "genn").glob("*/librunner.so"))
    assert len(libraries) == 3
    for library in libraries:
        assert "__cudaRegister" in subprocess.run(
            ["nm", "-D", library], capture_output=True, text=True, check=True
        ).stdout + library.read_bytes().decode("latin-1"), "it was compiled by nvcc"


def test_both_backends_give_the_same_spikes(found):
    spikes = found["same_as_cpu"]
    assert set(spikes) == {"cuda", "cpu"}
    assert len(spikes["cpu"][0]) > 50
    assert spikes["cuda"] == spikes["cpu"]


def test_a_saved_state_is_continued(found):
    onward, again = found["continued"]
    assert len(onward[0]) > 20
    assert again == onward


@pytest.mark.parametrize("run", ["batch_wired", "batch_drawn"])
def test_a_set_of_a_batch_spikes_as_by_itself(found, run):
    alone, together = found[run]["alone"], found[run]["together"]
    assert together == alone
    assert min(len(steps) for steps, _, _ in alone) > 100
    assert len({json.dumps(spikes) for spikes in alone}) == len(alone), "sets must differ"


def test_weights_of_a_batch_are_those_of_each_set_and_stay(found):
    weights = found["batch_weights"]
    assert weights["own"] == [[1.0] * 10] * 2 + [[2.0] * 10] * 2
    assert weights["same"] == [[3.0] * 5] * 4
    assert "weights of 'own': they are fixed in a batch" in weights["refused"]


def test_procedural_synapses_are_those_of_the_rule_and_always_the_same(found):
    first, again, other = found["procedural"]
    assert first == again
    assert first != other
    p, n = 0.25, 200
    for rows in (first, other):
        counts = np.array([len(targets) for targets in rows.values()])
        # Four standard deviations of the mean of binomial counts, and of their variance.
        sd = np.sqrt(n * p * (1 - p))
        assert abs(counts.mean() - n * p) < 4 * sd / np.sqrt(len(counts))
        assert counts.std() < 1.7 * sd
        hits = np.zeros((len(rows), n))
        for source, targets in rows.items():
            hits[int(source), targets] = 1.0
        overlap = [hits[a] @ hits[b] for a in range(len(rows)) for b in range(a)]
        assert abs(np.mean(overlap) - n * p * p) < 2.0, "rows are independent"
        columns = hits.sum(axis=0)
        assert abs(columns.var() - len(rows) * p * (1 - p)) < 1.0
        gaps = np.concatenate([np.diff(targets) for targets in rows.values()])
        assert abs((gaps == 1).mean() - p) < 0.07, "neighbors are independent"


def test_no_cell_reaches_itself_and_a_probability_of_one_reaches_all_others(found):
    for source, targets in zip((0, 17), found["procedural_recurrent"], strict=True):
        assert targets == [n for n in range(30) if n != source]


def test_what_the_device_has_no_room_for_is_refused_in_one_line(on_cpu):
    message = runs("memory", environment={**on_cpu, "CUDA_ON_CPU_FREE": "10000"})["memory"]
    assert "genn: the network would take about" in message
    assert "GB of memory of the device, and 1e-05 GB are free" in message
    assert "\n" not in message
    message = runs("batch_memory", environment={**on_cpu, "CUDA_ON_CPU_FREE": "300000"})["batch_memory"]
    assert "40 parameter sets of the network would take" in message
    assert "fit" in message
