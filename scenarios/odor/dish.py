"""Larvae in a dish: the odors, sides, bodies and brains that the odor scenarios share.

The functions make the environment and the agent from a `DishConfig` and a timetable. The protocols are in
`conditioning` and `preference`.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from ethospike.agents.larva import LarvaAgent
from ethospike.agents.larva.locomotion import PRESETS as LOCOMOTION_PRESETS
from ethospike.brains.circuits.connectome.measured import measured_network
from ethospike.brains.circuits.mushroom_body import PRESETS, mushroom_body
from ethospike.brains.network import Network
from ethospike.envs.odor_arena import ArenaConfig, Phase
from ethospike.scenarios.odor.config import DishConfig
from ethospike.scenarios.run.files import write_whole
from ethospike.scenarios.scenario import unchanged

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording

MEMORY = "memory.npz"
"""File in the run folder with the weights at the end of a run."""

BRAIN_PRESETS: dict[str, dict[str, Any]] = {
    **{name: {"brain": dataclasses.asdict(config)} for name, config in PRESETS.items()},
    **{name: {"larva": {"locomotion": dataclasses.asdict(c)}} for name, c in LOCOMOTION_PRESETS.items()},
}
"""Presets of the odor scenarios: those of the mushroom body, and those of locomotion."""


def open_dish(
    config: DishConfig,
    phases: tuple[Phase, ...],
    memory: Path | None = None,
    change_network: Callable[[Network], Network] = unchanged,
) -> tuple[VectorEnv, LarvaAgent]:
    """Make the dish with its timetable, and the larvae, with a memory if it is given."""
    arena = ArenaConfig(phases, config.odors, mirror_odd_animals=True)
    env = gymnasium.make_vec(
        "ethospike.envs:ethospike/OdorArena-v0",
        num_envs=config.animals,
        vectorization_mode="vector_entry_point",
        config=arena,
        control_interval_ms=config.control_interval_ms,
    )
    agent = LarvaAgent(
        config.larva,
        config.brain,
        config.odors,
        animals=config.animals,
        control_interval_ms=config.control_interval_ms,
        seed=config.seed,
        simulator=config.simulator,
        dt_ms=config.dt_ms,
        network=_network(config, change_network),
    )
    if memory is not None:
        try:
            agent.load_memory(memory)
        except BaseException:
            agent.close()
            raise
    return env, agent


def _network(config: DishConfig, change_network: Callable[[Network], Network]) -> Network:
    """Return the network of the larvae, measured or drawn."""
    measured = measured_network(config.circuit, config.connectome, config.brain, config.measured)
    return change_network(mushroom_body(config.brain) if measured is None else measured)


def keep_memory(agent: Any, folder: Path) -> None:
    """Save the weights at the end of a run in its folder, as a file that is replaced whole.

    Raises
    ------
    RunFolderError
        When it cannot be written.
    """
    whole = io.BytesIO()
    np.savez(whole, **agent.memory())
    write_whole(folder / MEMORY, whole.getbuffer())


def draw_figures(recording: Recording, config: DishConfig, folder: Path) -> list[Path]:
    """Draw the figures of a run in the dish; Matplotlib is loaded only now, because it takes its time."""
    from ethospike.scenarios.odor import figures as dish_figures

    return dish_figures.draw_all(recording, config, folder)
