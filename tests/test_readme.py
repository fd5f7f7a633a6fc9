"""The README's Python runs as it stands, and its commands exist."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from ethospike.brains.network import FixedIndegree, Network, Population, Projection
from ethospike.brains.network.network import BrainError
from ethospike.brains.simulator import SIMULATORS, SimulatorSettings, open_simulator, simulator_class
from ethospike.scenarios.command.app import app

README = (Path(__file__).parents[1] / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
SHELL = "".join(re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL))

EACH_SIMULATOR = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.simulator(name)) for name in SIMULATORS]
)


def said_to_be_impossible(simulator: str) -> str:
    """Return the cell "it cannot" of a simulator."""
    (row,) = [line for line in README.splitlines() if line.startswith(f"| **{simulator}**")]
    return row.split("|")[3]


def test_the_agent_loops_run() -> None:
    """The blocks build on each other, as a reader would type them."""
    loops = [block for block in PYTHON if "env.step" in block]
    assert len(loops) == 1
    names: dict[str, object] = {}
    for block in loops:
        exec(block, names)
    assert names["info"]
    assert names["decision"].action.shape == (2,)  # type: ignore[attr-defined]


def test_the_readme_is_short() -> None:
    assert 300 < len(README.split()) <= 900


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^ethospike (\w+)", SHELL, flags=re.MULTILINE))))
def test_the_commands_exist(command: str) -> None:
    assert command in set(app)


@EACH_SIMULATOR
def test_the_table_of_simulators_says_what_each_cannot(name: str) -> None:
    cannot = said_to_be_impossible(name)
    capabilities = simulator_class(name).capabilities
    assert ("save its state" in cannot) == (not capabilities.restores_state)
    assert ("record voltages" in cannot) == (not capabilities.records_voltage)


@EACH_SIMULATOR
def test_the_table_says_which_simulator_runs_groups_of_large_networks(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Networks above the limit are drawn by the simulator; here the limit is lowered instead."""
    monkeypatch.setattr("ethospike.brains.network.network.NUMPY_WIRING_LIMIT", 100)
    network = Network(
        (Population("E", 40, "iaf_psc_exp"),), (Projection("E>E", "E", "E", FixedIndegree(10), 0.0),)
    )
    assert not network.is_wired_by_numpy
    refuses = re.search(
        "groups of animals (above fifty million drawn synapses|there)", said_to_be_impossible(name)
    )
    expectation = pytest.raises(BrainError) if refuses else nullcontext()
    with expectation:
        open_simulator(network, SimulatorSettings(name=name), seed=1, animals=2).close()
