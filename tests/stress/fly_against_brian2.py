"""Compare the spikes of a synthetic fly brain with those of Brian2, which has an environment of its own.

    python tests/stress/fly_against_brian2.py BRIAN2_PYTHON [NEURONS] [SECONDS] [DRIVEN]

Prints the number of spikes on both, and of those that differ, for lists and for rows in double precision.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ethospike.brains.circuits.connectome.fly import DELAY_MS, DRIVE_HZ, fly_network
from ethospike.brains.circuits.connectome.synthetic import FLY, synthetic_connectome
from ethospike.brains.numba import simulator as numba_simulator
from ethospike.brains.numba.choice import engine_class
from ethospike.brains.simulator import SimulatorSettings, Stimulus, open_simulator
from ethospike.brains.spike_trains.sources import PoissonSource

ENGINES = ("lists", "rows")
HERE = Path(__file__).parent


def main(python: str, neurons: int = 5_000, seconds: float = 1.0, n_driven: int = 50) -> int:
    """Run all and print the comparison; return 1 where a spike differs."""
    connectome, signs = synthetic_connectome(FLY.scaled(neurons), seed=1)
    driven = np.arange(n_driven)
    network = fly_network(connectome, signs, driven)
    n_steps = round(seconds * 10_000)
    source = PoissonSource(n_driven, seed=1)
    step, animal, channel = source.window(1, n_steps - 1, np.full((1, n_driven), DRIVE_HZ))
    kept = np.unique(step * n_driven + channel)  # Brian2's generator fires a channel once a step
    step, channel = np.divmod(kept, n_driven)
    animal = np.zeros(len(step), dtype=np.int32)
    # Step s of ours is Brian2's step s − 1; an input spike of ours arrives after its delay.
    arrival = step + round(DELAY_MS / 0.1)
    kept = arrival <= n_steps
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{name}.npz" for name in ("input", "output")]
        np.savez(
            files[0],
            neurons=neurons,
            pre=connectome.pre,
            post=connectome.post,
            synapses=connectome.synapses * signs[connectome.pre],
            driven=driven,
            step=arrival[kept] - 1,
            channel=channel[kept],
            seconds=seconds,
        )
        subprocess.run([python, str(HERE / "brian2_fly.py"), *files], check=True)
        brian = np.load(files[1])
        theirs = set(zip((brian["step"] + 1).tolist(), brian["neuron"].tolist(), strict=True))
    worst = 0
    for engine in ENGINES:
        numba_simulator.choose_engine = lambda network, engine=engine: engine_class(engine)
        with open_simulator(network, SimulatorSettings("numba", precision="double"), seed=1) as simulator:
            block = simulator.run(n_steps, Stimulus(step, animal, channel.astype(np.int32)))
        ours = set(zip(block.step.tolist(), block.neuron.tolist(), strict=True))
        differ = len(ours ^ theirs)
        worst = max(worst, differ)
        print(
            f"{engine}: {len(ours):,} spikes, Brian2 {len(theirs):,}, {differ:,} differ; "
            f"{len({n for _, n in ours}):,} neurons fired, {n_driven} of them driven"
        )
    return int(worst > 0)


if __name__ == "__main__":
    sys.exit(
        main(sys.argv[1], *(kind(word) for kind, word in zip((int, float, int), sys.argv[2:], strict=False)))
    )
