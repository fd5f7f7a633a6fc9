"""Rows of the benchmark in processes of their own."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import Any

from ethospike.scenarios.bench.rows import Row


def measure_in_process(row: Row, *, compiling: bool = False, limit_s: float | None = None) -> dict[str, Any]:
    """Measure a row in a fresh process; the result of a failed row is its error.

    Parameters
    ----------
    row : Row
    compiling : bool
        Give Numba an empty cache, as after a fresh installation.
    limit_s : float, optional
        Wall time after which the process and its children are killed.
    """
    words = [
        sys.executable,
        "-P",  # a nest.py of the working directory must not be taken for NEST
        "-m",
        "ethospike.scenarios.bench.measures",
        json.dumps(dataclasses.asdict(row)),
    ]
    entry = dataclasses.asdict(row)
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache} if compiling else None
        process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment,
            start_new_session=limit_s is not None,  # a group of its own, which can be killed whole
        )
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return {**entry, "error": f"stopped after {limit_s:.0f} s, the time that was left for it"}
    if process.returncode:
        lines = err.strip().splitlines()
        return {**entry, "error": lines[-1] if lines else f"exit code {process.returncode}"}
    return {**entry, **json.loads(out.strip().splitlines()[-1])}
