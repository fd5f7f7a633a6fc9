"""Random generators, keyed by seed, animal and purpose."""

from __future__ import annotations

import numpy as np

ROLE_WIRING = 1
"""Role in `random_stream` of the synapses of a projection; the channel is the projection's index."""
ROLE_PARAMETERS = 2
"""Role in `random_stream` of drawn parameters; the channel counts populations × parameters."""
ROLE_INPUT = 3
"""Role in `random_stream` of input spike trains; the channel is the input channel."""


def random_stream(seed: int, animal: int, role: int, channel: int = 0) -> np.random.Generator:
    """Return the generator of one animal for one purpose.

    Streams are keyed by what they are for, so that animal 7 of 25 is animal 7 of 100. Channels are places in
    the network's lists: a population, projection or input that is added at the end of its list changes no
    other one's draws, one that is put in before others gives these the draws of their new places.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(animal, role, channel)))
