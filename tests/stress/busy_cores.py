"""Times one animal on one thread and on several, beside programs that need the cores.

    python tests/stress/busy_cores.py --busy 1 --seconds 20 --rounds 5

The two take turns within each round, so that whatever else the machine does meets both. Printed are wall and
processor seconds per biological second, and the median and the worst of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np

from ethospike.brains.numba.bits.engine import BitsEngine
from ethospike.brains.numba.bits.wiring import draw_wiring
from ethospike.brains.simulator import Stimulus
from ethospike.brains.threads import cores
from ethospike.scenarios.bench.scale import network_of_size

TURN_MS = 500


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, default=25_500)
    parser.add_argument("--busy", type=int, default=1, help="processes that do nothing but count")
    parser.add_argument("--seconds", type=float, default=20.0, help="of biology in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--procedural", action="store_true")
    options = parser.parse_args()
    network = network_of_size(options.neurons, procedural=options.procedural)
    wiring = draw_wiring(network, seed=1, animals=1, threads=cores())
    engines = {
        threads: BitsEngine(
            network, seed=1, animals=1, dt_ms=0.1, precision="single", threads=threads, wiring=wiring
        )
        for threads in (1, cores())
    }
    done = dict.fromkeys(engines, 0)
    for threads, engine in engines.items():
        engine.run(1, 3_000, Stimulus.none())
        done[threads] = 3_000
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    try:
        ratios = []
        for number in range(options.rounds):
            wall, processor = dict.fromkeys(engines, 0.0), dict.fromkeys(engines, 0.0)
            for _ in range(round(options.seconds * 1000.0 / TURN_MS)):
                for threads, engine in engines.items():
                    begin, used = time.perf_counter(), time.process_time()
                    engine.run(done[threads] + 1, 10 * TURN_MS, Stimulus.none())
                    wall[threads] += time.perf_counter() - begin
                    processor[threads] += time.process_time() - used
                    done[threads] += 10 * TURN_MS
            times = ", ".join(
                f"{threads} thread{'s' * (threads > 1)}: {wall[threads] / options.seconds:.3f} "
                f"(processor {processor[threads] / options.seconds:.3f})"
                for threads in engines
            )
            ratios.append(wall[max(engines)] / wall[1])
            print(f"round {number + 1}: {times}", flush=True)
    finally:
        for process in busy:
            process.kill()
    print(f"several threads over one: median {np.median(ratios):.3f}, worst {max(ratios):.3f}")


if __name__ == "__main__":
    main()
