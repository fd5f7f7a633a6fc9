"""A small odor experiment that every test of this room may look at."""

from __future__ import annotations

import pytest

from ethospike.scenarios.configuration import configure
from ethospike.scenarios.odor.conditioning import SCENARIO
from ethospike.scenarios.run.runner import RunResult, run_scenario

SHORT = [
    *("--cycles", "1", "--odor-s", "3", "--blank-s", "2"),
    *("--gap-s", "1", "--test-s", "4", "--animals", "2"),
]
"""Ten seconds of biology: every phase once; the last word is the number of animals."""


@pytest.fixture(scope="session")
def short_words() -> list[str]:
    return list(SHORT)


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    config = configure(SCENARIO, [*SHORT, "--simulator.name", "numba"])
    return run_scenario(SCENARIO, config, tmp_path_factory.mktemp("runs") / "short", quiet=True)
