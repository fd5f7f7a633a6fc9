"""Larvae of larvaworld with a brain from ethospike that is told the concentrations of all odors.

Start `ethospike serve-brain` in another terminal. larvaworld's own client sends the change of one odor, which
the server must integrate from an assumed beginning; this one sends what the larva smells. Import this file
before an experiment with `_MB` models is run, e.g. `ExpRun.from_ID("MB_patch_grid", N=3)`. It needs
larvaworld 2.5.1 in an environment of its own, and nothing of ethospike.
"""

from larvaworld.lib.model.modules.memory import RemoteBrianModelMemory
from larvaworld.lib.model.modules.module_modes import moduleDB


class EthospikeMemory(RemoteBrianModelMemory):
    """The gain of all odors, from a mushroom body that is told their concentrations."""

    def step(self, dx=None, reward=False, t_warmup=0):
        """Send what is smelled, and return the gain of each odor."""
        odors_um = {odor: float(um) for odor, um in self.brain.olfactor.X.items()}
        asked = {"odor_id": 0, "concentration": 0.0, "reward": int(reward), "odors_um": odors_um}
        larva = {"model_instance_id": self.brain.agent.unique_id, "t_sim": self.t_sim, "t_warmup": t_warmup}
        self.gain = dict.fromkeys(odors_um, self.G * self.runRemoteModel(**larva, **asked))
        self.step_id += 1
        return self.gain


moduleDB.brainDB["memory"].dict["MB"]["olfaction"] = EthospikeMemory
