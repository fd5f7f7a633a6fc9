"""What holds for all tests: which simulators they need, and that a skip cannot hide.

Mark a test with `@pytest.mark.simulator("nest")`. It is skipped where that simulator is absent, unless
`ETHOSPIKE_REQUIRE=nest,numba,genn` names it: then its absence is a failure.
"""

from __future__ import annotations

import os
import signal

import pytest

from ethospike.brains.simulator import SIMULATORS, is_installed

REQUIRED = {name for name in os.environ.get("ETHOSPIKE_REQUIRE", "").split(",") if name}


def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts tests in the background has them ignore Ctrl-C; tests of Ctrl-C need it back.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "simulator(name): needs that simulator; see ETHOSPIKE_REQUIRE")
    if unknown := REQUIRED - set(SIMULATORS):
        raise pytest.UsageError(f"ETHOSPIKE_REQUIRE names {sorted(unknown)}; valid: {', '.join(SIMULATORS)}")


def pytest_report_header() -> list[str]:
    there = [name for name in SIMULATORS if is_installed(name)]
    absent = [name for name in SIMULATORS if name not in there]
    lines = [f"simulators: {', '.join(there)}"]
    if absent:
        lines.append(f"simulators not installed, their tests are skipped: {', '.join(absent)}")
    return lines


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("simulator"):
        (name,) = mark.args
        if is_installed(name):
            continue
        if name in REQUIRED:
            pytest.fail(f"ETHOSPIKE_REQUIRE names {name}, which is not installed", pytrace=False)
        pytest.skip(f"the simulator {name} is not installed")
