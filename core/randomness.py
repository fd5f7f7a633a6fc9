"""Random generators, keyed by seed, animal and purpose, and their states as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, unique
from typing import Any

import numpy as np
from numpy.typing import NDArray


@unique
class Role(IntEnum):
    """Purposes of random streams; the number is a part of the key, so none is used twice."""

    WIRING = 1
    """Synapses of a projection; the channel is the projection's index."""
    PARAMETERS = 2
    """Drawn parameters of neurons; the channel counts populations × parameters."""
    INPUT = 3
    """Input spike trains; the channel is the input channel."""
    WEIGHTS = 4
    """Drawn weights; the channel is the projection's index."""
    DELAYS = 5
    """Drawn delays; the channel is the projection's index."""
    SPIKES = 6
    """Spikes of stochastic neurons; the channel is the population's index."""
    SHUFFLE = 7
    """Exchanges of a shuffled projection; the channel is the projection's index and the shuffle's seed."""
    LOCOMOTION = 10
    """Crawling and turning of larvae: starting phases (channel 0) and noise (channel 1)."""
    DIRECTIONS = 11
    """Assignment of a cortex's clusters to directions of reaching."""
    PLACEMENT = 20
    """Start positions and headings in the odor arena."""
    TRIALS = 25
    """Order and times of reaching trials."""
    EPISODES = 30
    """Seeds of the episodes of Gymnasium environments; the channel is the episode."""
    READOUT = 31
    """Draws of a stochastic read-out of actions: training (channel 0) and evaluation (channel 1)."""
    EVALUATION = 32
    """Seeds of the episodes in which learning is evaluated; the channel is the episode after training."""


def random_stream(seed: int, animal: int, role: Role, channel: int = 0) -> np.random.Generator:
    """Return the generator of one animal for one purpose.

    Streams are keyed by their purpose, so that animal 7 of 25 is animal 7 of 100. Channels are places in
    a list, such as a network's projections: an entry added at the end of the list changes no other entry's
    draws; one inserted before others gives these the draws of their new places.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(animal, int(role), channel)))


def generator_state(generator: np.random.Generator) -> NDArray[np.uint64]:
    """Return the state of a PCG64 generator, uint64, shape (6,)."""
    state: dict[str, Any] = dict(generator.bit_generator.state)
    words = [state["state"][key] >> shift & (2**64 - 1) for key in ("state", "inc") for shift in (64, 0)]
    return np.array([*words, state["has_uint32"], state["uinteger"]], np.uint64)


def set_generator_state(generator: np.random.Generator, numbers: NDArray[np.generic]) -> None:
    """Put a PCG64 generator into a state that `generator_state` returned."""
    high, low, inc_high, inc_low, has_uint32, uinteger = np.asarray(numbers, np.uint64).tolist()
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }


def seed_to_bytes(seed: int) -> NDArray[np.uint8]:
    """Return a seed of any size as bytes, least significant first, for saved states.

    Examples
    --------
    >>> seed_from_bytes(seed_to_bytes(2**127 + 1)) == 2**127 + 1
    True
    """
    n_bytes = seed.bit_length() // 8 + 1
    return np.frombuffer(seed.to_bytes(n_bytes, "little", signed=True), np.uint8).copy()


def seed_from_bytes(stored: NDArray[np.generic]) -> int:
    """Return the seed that `seed_to_bytes` stored."""
    return int.from_bytes(np.asarray(stored, np.uint8).tobytes(), "little", signed=True)


def pack_generators(generators: Sequence[np.random.Generator], animals: int) -> NDArray[np.uint64]:
    """Return the states of the animals' generators, shape (animals, 6); zeros while there are none."""
    if not generators:
        return np.zeros((animals, 6), np.uint64)
    return np.stack([generator_state(generator) for generator in generators])


def unpack_generators(packed: NDArray[np.generic]) -> list[np.random.Generator]:
    """Return generators that continue from `pack_generators`; an empty list if there were none."""
    if not np.any(packed):  # a generator's increment is odd, so its state is never all zeros
        return []
    generators = []
    for row in np.asarray(packed, np.uint64):
        generator = np.random.Generator(np.random.PCG64())
        set_generator_state(generator, row)
        generators.append(generator)
    return generators
