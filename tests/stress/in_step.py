"""Pushes cortices of 25,000 neurons into firing in step, and looks which of them stay there.

    python tests/brains/in_step_validation.py --wirings 12

Each wiring is pushed ten times, a second apart: a current into all excitatory neurons for 10 ms. Counted
are the pushes after which, 0.8 s later, a tenth of all inhibitory neurons fires within a millisecond. The
currents of the neurons differ by ± delta/2. Results: docs/validation_cortex.md.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np

from ethospike.brains.circuits.clustered_cortex import CortexConfig, clustered_cortex, parameter_set
from ethospike.brains.numba.bits.engine import BitsEngine
from ethospike.brains.simulator import Stimulus

DELTAS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6)
STATES = (("unclustered", 1.0), ("as in the task", parameter_set("large").j_plus))
PUSHES = 10
PUSH_PA = 5.0
"""Five rheobases: all excitatory neurons fire within the push."""
SECOND, PUSH, LATE = 10_000, 100, 2_000
"""A second, a push, and what is looked at of each second, in steps of 0.1 ms."""
IN_STEP = 0.1


def pushes_that_hold(config: CortexConfig, seed: int) -> int:
    """Return after how many pushes the neurons are in step at the end of the second."""
    network = clustered_cortex(config)
    engine = BitsEngine(network, seed=seed, animals=1, dt_ms=0.1, precision="single", threads=1)
    held, begin = 0, 1
    for _ in range(PUSHES):
        for n_steps, current_pa in ((PUSH, PUSH_PA), (SECOND - PUSH, 0.0)):
            spikes = engine.run(begin, n_steps, Stimulus.currents(np.full((1, config.clusters), current_pa)))
            begin += n_steps
        late = (spikes.step >= begin - LATE) & (spikes.neuron >= config.n_e)
        per_ms = np.bincount((spikes.step[late] - (begin - LATE)) // 10)
        held += bool(per_ms.max(initial=0) > IN_STEP * config.n_i)
    engine.close()
    return held


def main() -> None:
    """Print a row for each spread of the currents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--wirings", type=int, default=12)
    wirings = parser.parse_args().wirings
    print(f"| currents | {' | '.join(f'{name} (J_E+ {j:g}): wirings, pushes' for name, j in STATES)} |")
    print("|---|---|---|")
    for delta in DELTAS:
        cells = []
        for _, j_plus in STATES:
            config = dataclasses.replace(
                parameter_set("large"), delta_I_E=delta, delta_I_I=delta, j_plus=j_plus
            )
            held = [pushes_that_hold(config, seed) for seed in range(1, 1 + wirings)]
            stayed = sum(one > 0 for one in held)
            cells.append(f"{stayed} of {wirings}, {sum(held)} of {PUSHES * wirings}")
        print(f"| ±{50 * delta:g} % | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
