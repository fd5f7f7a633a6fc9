"""The files in docs/examples run, and show what they say."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cartpole_reflex
import numpy as np
import own_neuron
import plain_loop
import pytest
import read_recording
import two_simulators
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from places import DOCS, EXAMPLES
from synthetic_run import SyntheticRun

from ethospike.brains.network import Network, Population
from ethospike.brains.simulator import SimulatorSettings, open_simulator
from ethospike.envs.odor_arena import ArenaConfig, OdorArenaVectorEnv, OdorSource, Phase
from ethospike.envs.odor_arena.reinforcement import Reinforcement
from ethospike.errors import BrainError

TESTED = {
    *("cartpole_reflex", "larvaworld_brain", "own_neuron", "plain_loop"),
    *("two_simulators", "read_recording", "vehicle", "nest_script", "ppo_larva"),
}
"""`nest_script.py` is tested with NEST (tests/brains/nest/test_script_scenario.py), `vehicle.py` with the
runner (tests/scenarios/run/test_runner.py)."""


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == TESTED


class _RemoteMemory:
    """Stands for larvaworld's client, which is not installed here: keeps what it is asked to send."""

    G, t_sim, step_id = 0.001, 100, 0

    def runRemoteModel(self, **message: object) -> float:
        self.sent = message
        return 5000.0


def test_the_brain_for_larvaworld_sends_all_concentrations(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = SimpleNamespace(brainDB={"memory": SimpleNamespace(dict={"MB": {}})})
    root = "larvaworld.lib.model.modules"
    memory = SimpleNamespace(RemoteBrianModelMemory=_RemoteMemory)
    for name in ("larvaworld", "larvaworld.lib", "larvaworld.lib.model", root):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, f"{root}.memory", memory)
    monkeypatch.setitem(sys.modules, f"{root}.module_modes", SimpleNamespace(moduleDB=modes))
    example = runpy.run_path(str(EXAMPLES / "larvaworld_brain.py"))
    assert modes.brainDB["memory"].dict["MB"]["olfaction"] is example["EthospikeMemory"]
    larva = example["EthospikeMemory"]()
    olfactor = SimpleNamespace(X={"CS": 1.5, "UCS": 0.0})
    larva.brain = SimpleNamespace(olfactor=olfactor, agent=SimpleNamespace(unique_id="larva_3"))
    assert larva.step(dx={"CS": 0.1}, reward=True) == {"CS": 5.0, "UCS": 5.0}
    assert larva.sent["odors_um"] == {"CS": 1.5, "UCS": 0.0}
    assert (larva.sent["reward"], larva.sent["model_instance_id"], larva.step_id) == (1, "larva_3", 1)


class _VecEnv:
    """Stands for Stable-Baselines3's base class, which is not installed here: as it calls its subclasses."""

    def __init__(self, num_envs: int, observation_space: object, action_space: object) -> None:
        self.num_envs, self._seeds = num_envs, [3] * num_envs
        self.render_modes = self.get_attr("render_mode")  # type: ignore[attr-defined]

    def _reset_seeds(self) -> None:
        self._seeds = [None] * self.num_envs

    def step(self, actions: NDArray[Any]) -> Any:
        self.step_async(actions)  # type: ignore[attr-defined]
        return self.step_wait()  # type: ignore[attr-defined]


def test_the_adapter_for_ppo_gives_what_the_group_does(monkeypatch: pytest.MonkeyPatch) -> None:
    root = "stable_baselines3"
    stand_in = SimpleNamespace(VecEnv=_VecEnv, VecMonitor=None, PPO=None)
    for name in (root, f"{root}.common"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules[root], "PPO", None, raising=False)
    monkeypatch.setitem(sys.modules, f"{root}.common.vec_env", stand_in)
    adapter = runpy.run_path(str(EXAMPLES / "ppo_larva.py"))["GroupVecEnv"]
    dish = ArenaConfig((Phase("all", 0.8, (OdorSource("A"),), (Reinforcement("reward", radius_mm=2.0),)),))
    mode = AutoresetMode.SAME_STEP
    mine = adapter(OdorArenaVectorEnv(3, dish, autoreset_mode=mode))
    group = OdorArenaVectorEnv(3, dish, autoreset_mode=mode)
    np.testing.assert_array_equal(mine.reset(), group.reset(seed=3)[0])
    rng, ends = np.random.default_rng(1), 0
    for _ in range(20):
        actions = rng.uniform(-1.0, 1.0, (3, 2)).astype(np.float32)
        observation, reward, done, infos = mine.step(actions)
        expected, rewards, terminated, truncated, info = group.step(actions)
        np.testing.assert_array_equal(observation, expected)
        np.testing.assert_array_equal(reward, rewards)
        np.testing.assert_array_equal(done, terminated | truncated)
        for animal in np.flatnonzero(done):
            ends += 1
            np.testing.assert_array_equal(infos[animal]["terminal_observation"], info["final_obs"][animal])
            assert infos[animal]["TimeLimit.truncated"] == bool(truncated[animal] and not terminated[animal])
    assert ends == 6


def test_plain_loop_rewards_depend_on_the_seed() -> None:
    assert plain_loop.run(200, seed=2) == plain_loop.run(200, seed=2)


def test_the_reflex_balances_cartpole() -> None:
    """195 is the threshold of the short task, CartPole-v0; a random policy reaches some 22."""
    assert min(cartpole_reflex.run(2)) > 195.0


@pytest.mark.simulator("nest")
def test_two_simulators_fire_alike() -> None:
    numba, nest = (two_simulators.run(name, 3000) for name in ("numba", "nest"))
    assert len(nest) > 100
    # Numba's state has single precision by default: a spike may move by a step, and the network amplifies it.
    assert abs(len(numba) - len(nest)) < 0.05 * len(nest)
    assert numba.neuron[:20].tolist() == nest.neuron[:20].tolist()


@pytest.mark.simulator("nest")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.simulator(name)) for name in ("numba", "genn")]
)
def test_a_model_from_outside_the_package_spikes_as_on_nest(name: str) -> None:
    ours, nest = own_neuron.run(name, precision="double"), own_neuron.run("nest")
    assert len(nest) > 300
    assert ours.step.tolist() == nest.step.tolist()
    assert ours.neuron.tolist() == nest.neuron.tolist()


def misspelled(x, k, excitation, inhibition, current_pa, uniform):
    return x.th_3 > 0


def not_compiled(x, k, excitation, inhibition, current_pa, uniform):
    return np.linalg.norm({"v": x.v}) > 0


@pytest.mark.parametrize(
    ("step", "reason"),
    [(misspelled, "'th_3' is neither a state nor a constant"), (not_compiled, "it may use")],
)
def test_a_step_that_numba_cannot_compile_is_named(step: object, reason: str) -> None:
    wrong = type("Wrong", (own_neuron.Mat2PscExp,), {"step": staticmethod(step)})  # type: ignore[arg-type]
    network = Network((Population("E", 1, wrong()),))
    with pytest.raises(BrainError, match=f"mat2_psc_exp: Numba cannot compile the model's step.*{reason}"):
        open_simulator(network, SimulatorSettings("numba"), seed=1)


def test_read_recording_measures_rates_and_paths(tmp_path: Path) -> None:
    run = SyntheticRun()
    run.write(tmp_path / "recording.zarr", range(40))
    rates = read_recording.mean_rates_hz(str(tmp_path / "recording.zarr"))
    records = [run.record(k) for k in range(40)]
    duration_s = 40 * run.layout.control_interval_ms / 1000
    for population in run.layout.populations:
        n_spikes = sum(
            int(
                (
                    (r.spikes.neuron >= population.start)
                    & (r.spikes.neuron < population.start + population.size)
                ).sum()
            )
            for r in records
        )
        expected = n_spikes / population.size / run.layout.animals / duration_s
        assert expected > 0
        assert rates[population.name] == pytest.approx(expected)
    steps = np.diff([r.values["position_mm"][1] for r in records], axis=0)
    length = read_recording.path_length_mm(str(tmp_path / "recording.zarr"), animal=1)
    assert length == pytest.approx(np.linalg.norm(steps, axis=1).sum(), rel=1e-5)


def test_examples_are_scripts() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "plain_loop.py"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Sum of rewards:")


def test_the_lines_of_the_page_on_analysis(tmp_path: Path) -> None:
    """Run all code of docs/analysis.md, one block after the other, on a synthetic recording."""
    pytest.importorskip("pynapple", reason="the extra `analysis` is not installed")
    SyntheticRun(spikes=60).write(tmp_path / "recording.zarr", range(100))
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "analysis.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 4
    shown = "rates.shape, movement.sizes, in_trials.shape, curves.shape, paths.sizes['event'] > 10"
    code = "\n".join([*blocks, f"print({shown})"])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "(4, 4, 201)" in done.stdout
    assert "'lag': 5" in done.stdout
    assert "(40, 3) (4, 6) True" in done.stdout
