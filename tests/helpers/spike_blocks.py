"""What several tests of this folder ask of spikes."""

from __future__ import annotations

import numpy as np

from ethospike.brains.simulator import SpikeBlock


def assert_same(one: SpikeBlock, other: SpikeBlock, at_least: int = 100) -> None:
    """The very same spikes, and enough of them to tell."""
    assert len(one) >= at_least
    for name in ("step", "animal", "neuron"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
