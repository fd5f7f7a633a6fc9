"""A user is told that the first step compiles, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ethospike.brains.compiling import WORDS

CODE = """if True:
    import numba, numpy as np
    from ethospike.agents.larva import readout
    @numba.njit
    def of_the_user(x):
        return x + 1
    of_the_user(1)
    print(readout.preferences(np.ones((1, 2)), 0.5).tolist())
    readout.filter_rates(np.zeros(1, int), np.zeros(1, int), np.zeros(1, int), 0.5, 1.0, np.ones((1, 1)))
"""


def test_compiling_is_told_once_and_not_when_kernels_are_cached(tmp_path: Path) -> None:
    """The first step of a new larva was silent for 24 s."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=env)
        for _ in range(2)
    ]
    assert [run.stdout for run in runs] == ["[0.0]\n"] * 2
    assert [run.stderr for run in runs] == [f"{WORDS}\n", ""]
