"""A run that every test of pages may look at."""

from __future__ import annotations

import pytest
from pages import run_folder

from ethospike.scenarios.run.folder import RunFolder


@pytest.fixture(scope="session")
def arena_folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    interval = {"mean": 0.5, "low": 0.25, "high": 0.75, "animals": [0.25, 0.5, 0.75]}
    summary = {"choice": interval, "left_out": {"paths": "position_mm was not recorded"}}
    return run_folder(
        tmp_path_factory.mktemp("report") / "run",
        summary=summary,
        changed_from_default={"body.speed_mm_s": 1.0},
        arms={"silence KC": {"spikes": 0, "neurons": {"KC": 40}}},
    )
