"""What all agents share: states that are made of the states of parts."""

from __future__ import annotations

import numpy as np

from ethospike.states import join_states, state_of


def test_states_of_parts_come_out_as_they_went_in() -> None:
    parts = {
        "hand": {"goal": np.arange(3.0), "nested/goal": np.ones(2)},
        "handle": {"goal": np.zeros(1)},  # begins like the other, and is not a part of it
    }
    joined = join_states(parts)
    assert sorted(joined) == ["hand/goal", "hand/nested/goal", "handle/goal"]
    for part, own in parts.items():
        found = state_of(part, joined)
        assert found.keys() == own.keys()
        assert all(found[name] is own[name] for name in own)
    assert state_of("foot", joined) == {}
