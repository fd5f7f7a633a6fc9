"""A copy of a stateful object is the same animal: it goes on as the original does, and apart from it."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from stateful_objects import (
    PARTS,
    STEPS_AFTER,
    STEPS_BEFORE,
    UNTESTED,
    Results,
    specimens,
    stateful_classes,
)

from ethospike.brains.network import Network, Population
from ethospike.brains.simulator import SimulatorSettings, open_simulator
from ethospike.envs.any_env import EpisodeConfig, GymnasiumGroup
from ethospike.envs.odor_arena.larva_body import LarvaBodies
from ethospike.errors import RecordingError, SimulatorUnavailable
from ethospike.recorders.recorder import Layout, Variable
from ethospike.recorders.zarr_recorder import ZarrRecorder

pytestmark = pytest.mark.simulator("numba")
COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
}


def marked(name: str) -> Any:
    """A specimen's name, with the simulator that it needs; all need Numba."""
    return pytest.param(name, marks=pytest.mark.simulator("genn")) if name.startswith("Genn") else name


NAMES = [marked(name) for name in specimens()]


def steps(thing: Any, name: str, numbers: range) -> list[Results]:
    return [[np.array(value) for value in specimens()[name].step(thing, number)] for number in numbers]


def assert_equal(one: list[Results], other: list[Results]) -> None:
    for ours, theirs in zip(one, other, strict=True):
        for mine, yours in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, yours)


def used(name: str) -> Any:
    """A specimen in the middle of its work."""
    thing = specimens()[name].make()
    steps(thing, name, range(STEPS_BEFORE))
    return thing


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", NAMES)
def test_a_copy_goes_on_as_the_original(name: str, way: str) -> None:
    """A copied larva bent by other arrays than those in which it turned."""
    original = used(name)
    saved = original.state()
    other = COPIES[way](original)
    after = range(STEPS_BEFORE, STEPS_BEFORE + STEPS_AFTER)
    expected = steps(original, name, after)  # also: the copy must not have moved with it
    assert any(np.any(np.asarray(value)) for results in expected for value in results) or name == "IdleEnv"
    assert_equal(steps(other, name, after), expected)
    other.set_state(saved)
    assert_equal(steps(other, name, after), expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "IdleEnv"])
def test_specimens_move(name: str) -> None:
    """Else copies would be equal whatever they were."""
    results = steps(specimens()[name].make(), name, range(STEPS_BEFORE + STEPS_AFTER))
    last = results[STEPS_BEFORE:]
    assert any(
        not np.array_equal(mine, yours)
        for one, other in itertools.pairwise(last)
        for mine, yours in zip(one, other, strict=True)
    )


def test_every_stateful_class_has_a_specimen() -> None:
    """A new one is not forgotten."""
    made = [specimen for name, specimen in specimens().items() if not name.startswith("Genn")]
    known = {type(specimen.make()).__name__ for specimen in made} | {*PARTS, *UNTESTED, "GennSimulator"}
    found = {kind.__name__ for kind in stateful_classes()}
    assert len(found) > 20
    assert found <= known


def arrays(thing: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays in an object, with their places."""
    seen = set() if seen is None else seen
    if isinstance(thing, np.ndarray):
        yield path, thing
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, dict):
        inner = list(thing.items())
    elif isinstance(thing, (list, tuple)):
        inner = list(enumerate(thing))
    elif type(thing).__module__.startswith("ethospike.") and hasattr(thing, "__dict__"):
        inner = list(vars(thing).items())
    else:
        return
    for key, value in inner:
        yield from arrays(value, f"{path}/{key}", seen)


def shared(thing: Any) -> set[tuple[str, str]]:
    """Return the pairs of places whose arrays share memory."""
    listed = [(path, array) for path, array in arrays(thing) if array.size]
    return {
        (one, other)
        for i, (one, mine) in enumerate(listed)
        for other, yours in listed[i + 1 :]
        if np.may_share_memory(mine, yours)
    }


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", [name for name in specimens() if "Simulator" not in name])
def test_arrays_that_share_memory_do_so_in_a_copy(name: str, way: str) -> None:
    """Copies of views are arrays of their own; whoever has views binds them again."""
    original = specimens()[name].make()
    steps(original, name, range(2))
    if "OdorArena" in name:
        assert any("_bodies/turn_rad" in one or "_bodies/turn_rad" in two for one, two in shared(original))
    ours, theirs = shared(original), shared(COPIES[way](original))
    assert {pair for pair in ours if "imulator" not in str(pair)} == {
        pair for pair in theirs if "imulator" not in str(pair)
    }


def test_a_copied_body_bends_by_its_own_turns() -> None:
    body = LarvaBodies(2, 50.0)
    body.place(np.ones(2, bool), np.zeros((2, 2)), np.zeros(2))
    other = copy.deepcopy(body)
    for one in (body, other):
        one.advance(np.array([[1.0, 0.5], [1.0, -1.0]]), 30)
    assert abs(body.bend_rad).min() > 0.01
    np.testing.assert_array_equal(other.bend_rad, body.bend_rad)
    np.testing.assert_array_equal(other.head_mm, body.head_mm)


def test_a_copy_of_a_simulator_watches_and_returns_the_voltages_of_the_last_window() -> None:
    network = Network([Population("E", 3, "iaf_psc_exp", {"I_e": [0.0, 300.0, 500.0]})])
    with open_simulator(network, SimulatorSettings("numba"), seed=1) as simulator:
        simulator.watch(np.array([2, 0]))
        simulator.run(50)
        other = copy.deepcopy(simulator)
        assert np.ptp(simulator.voltages()[:, 0, 0]) > 1.0
        np.testing.assert_array_equal(other.voltages(), simulator.voltages())
        simulator.run(10)
        other.run(10)
        np.testing.assert_array_equal(other.voltages(), simulator.voltages())


def test_a_closed_simulator_is_not_copied() -> None:
    simulator = open_simulator(
        Network([Population("E", 1, "iaf_psc_exp")]), SimulatorSettings("numba"), seed=1
    )
    simulator.close()
    with pytest.raises(SimulatorUnavailable, match="was closed"):
        copy.deepcopy(simulator)


@pytest.mark.simulator("nest")
def test_a_simulator_that_saves_no_state_refuses_to_be_copied() -> None:
    network = Network([Population("E", 1, "iaf_psc_exp")])
    with open_simulator(network, SimulatorSettings("nest"), seed=1) as simulator:
        for way in COPIES.values():
            with pytest.raises(SimulatorUnavailable, match="a nest simulator can be neither copied"):
                way(simulator)


def test_episodes_that_were_not_popped_are_in_the_copy_too() -> None:
    env = GymnasiumGroup("CartPole-v1", 2, EpisodeConfig(episodes=2))
    env.reset(seed=1)
    while not env._ended:
        env.step(np.ones((2, 1)))
    other = copy.deepcopy(env)
    ours, theirs = env.pop_intervals()["episode"], other.pop_intervals()["episode"]
    assert ours["length"].min() > 5
    for name, column in ours.items():
        np.testing.assert_array_equal(theirs[name], column)


def test_a_recorder_refuses_to_be_copied(tmp_path: Any) -> None:
    layout = Layout(1, 0.1, 100.0, 1000, {"reward": Variable("1", "reward")})
    with ZarrRecorder(tmp_path / "recording.zarr", layout) as recorder:
        for way in COPIES.values():
            with pytest.raises(RecordingError, match="neither copied nor pickled"):
                way(recorder)
