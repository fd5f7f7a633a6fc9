"""Odor preference: the test alone, of naive larvae or of larvae with a memory that was saved earlier.

The dish has odor A at one side (and odor B, if there is one, at the other), the side counterbalanced
between animals. `ethospike run odor-conditioning` leaves a memory in its run folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gymnasium.vector import VectorEnv

from ethospike.agents.larva import LarvaAgent
from ethospike.brains.network import Network
from ethospike.errors import ScenarioError
from ethospike.paths import expanded
from ethospike.scenarios.odor import dish
from ethospike.scenarios.odor import measures as dish_measures
from ethospike.scenarios.odor.config import DishConfig, phase_of_test
from ethospike.scenarios.run.folder import RunFolder
from ethospike.scenarios.scenario import Scenario, unchanged


@dataclass(frozen=True, kw_only=True)
class PreferenceConfig(DishConfig):
    """The test and the memory of the larvae."""

    memory: Path | None = None
    """A run of odor-conditioning, or its memory file; None for naive larvae."""

    def memory_file(self) -> Path | None:
        """Return the file of the memory.

        Raises
        ------
        ScenarioError
            When there is no memory, or it is in the folder of a run that was not completed.
        """
        if self.memory is None:
            return None
        memory = expanded(self.memory)
        path = memory / dish.MEMORY if memory.is_dir() else memory
        if (path.parent / "run.json").is_file():
            status = RunFolder.open(path.parent).status
            if status != "complete":
                raise ScenarioError(
                    f"memory: expected a finished run of odor-conditioning, but {path.parent} is {status}; "
                    f"its larvae are trained in part at most (`ethospike resume` goes on with it)"
                )
        if not path.is_file():
            raise ScenarioError(f"memory: no file {path}; expected a finished run of odor-conditioning")
        return path


def open_experiment(
    config: PreferenceConfig, change_network: Callable[[Network], Network] = unchanged
) -> tuple[VectorEnv, LarvaAgent]:
    """Make the dish and the larvae."""
    return dish.open_dish(config, (phase_of_test(config),), config.memory_file(), change_network)


def duration_s(config: PreferenceConfig) -> float:
    """Return the length of the experiment (s)."""
    return config.test_s


SCENARIO = Scenario(
    name="odor-preference",
    about="Larvae, naive or with a saved memory, choose between the sides of a dish.",
    config=PreferenceConfig,
    open=open_experiment,
    duration_s=duration_s,
    summarize=dish_measures.measure,
    draw=dish.draw_figures,
    conclude=dish_measures.sentence,
    presets=dish.BRAIN_PRESETS,
)
