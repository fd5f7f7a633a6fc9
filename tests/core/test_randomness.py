"""Keyed random streams and the states of their generators."""

import numpy as np
import pytest

from ethospike.errors import EthospikeError, StateError, nearest
from ethospike.randomness import Role, pack_generators, random_stream, unpack_generators
from ethospike.states import check_state, join_states, state_of, without


def test_packed_generators_continue_bit_for_bit():
    generators = [random_stream(5, animal, Role.PLACEMENT) for animal in range(3)]
    for generator in generators:
        generator.integers(10, dtype=np.uint32)  # leaves half a word behind, which belongs to the state
    packed = pack_generators(generators, 3)
    assert packed.shape == (3, 6)
    assert packed.dtype == np.uint64
    for generator, copy in zip(generators, unpack_generators(packed), strict=True):
        np.testing.assert_array_equal(generator.normal(size=5), copy.normal(size=5))
        np.testing.assert_array_equal(
            generator.integers(9, size=3, dtype=np.uint32), copy.integers(9, size=3, dtype=np.uint32)
        )


def test_no_generators_are_packed_in_the_shape_of_those_to_come():
    packed = pack_generators([], 3)
    assert packed.shape == pack_generators([random_stream(5, a, Role.PLACEMENT) for a in range(3)], 3).shape
    assert unpack_generators(packed) == []


def test_streams_differ_by_seed_animal_role_and_channel():
    keys = [(1, 0, 20), (2, 0, 20), (1, 1, 20), (1, 0, 25), (1, 0, 20, 1)]
    assert len({random_stream(*key).normal() for key in keys}) == len(keys)


def test_no_two_roles_have_one_number():
    assert len({int(role) for role in Role.__members__.values()}) == len(Role.__members__)


def test_states_are_joined_and_split():
    parts = {"body": {"x": np.zeros(2)}, "brain": {"V": np.ones(3)}}
    joined = join_states(parts)
    assert sorted(joined) == ["body/x", "brain/V"]
    np.testing.assert_array_equal(state_of("brain", joined)["V"], np.ones(3))
    assert sorted(without("brain", joined)) == ["body/x"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"x": np.zeros(3)}, "expected the entries"),
        ({"x": np.zeros(3), "y": np.zeros(1)}, r"state\['y'\]: expected float64 of shape \(2,\)"),
        ({"x": np.zeros(3, np.float32), "y": np.zeros(2)}, r"state\['x'\]: expected float64"),
    ],
)
def test_a_state_of_another_object_is_refused(state, message):
    like = {"x": np.zeros(3), "y": np.zeros(2)}
    with pytest.raises(StateError, match=message):
        check_state(state, like)
    check_state({"x": np.zeros(5), "y": np.ones(2)}, like, any_shape=("x",))


def test_nearest_names():
    assert nearest("nset", ["nest", "numba"]) == "did you mean 'nest'?"
    assert nearest("zzz", ["nest", "numba"]) == "valid: nest, numba"
    assert issubclass(StateError, EthospikeError)
