"""Delayed reach: a clustered cortex sees the possible targets, waits, and reaches for the right target.

One, two or three of six targets are cued for a second, a response signal then names the target, and the
hand has to touch it (Rostami et al. 2024, Nat Commun 15:6304). The brain is an E/I-clustered network in which
clusters stand for directions; `--network large` gives it 25,000 neurons, and every value of the network has
its flag (`--network cortex --reacher.cortex.j-plus 7`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import gymnasium
from gymnasium.vector import VectorEnv

from ethospike.agents.agent import Agent
from ethospike.agents.reacher import PUBLISHED_DIRECTIONS, ReacherAgent
from ethospike.agents.reacher.baseline import ReachBaseline
from ethospike.brains.circuits.clustered_cortex import PARAMETER_SETS, clustered_cortex
from ethospike.brains.network import Network
from ethospike.scenarios.reach import measures as reach_measures
from ethospike.scenarios.reach.config import DelayedReachConfig
from ethospike.scenarios.scenario import Scenario, unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from ethospike.recorders.recording import Recording


def open_experiment(
    config: DelayedReachConfig, change_network: Callable[[Network], Network] = unchanged
) -> tuple[VectorEnv, Agent]:
    """Make the task and the agent."""
    env = gymnasium.make_vec(
        "ethospike.envs:ethospike/DelayedReach-v0",
        num_envs=config.animals,
        vectorization_mode="vector_entry_point",
        config=config.resolved_task(),
        max_episode_steps=config.limit_steps,
    )
    if config.agent == "baseline":
        return env, ReachBaseline(
            config.animals,
            config.control_interval_ms,
            n_targets=config.task.n_targets,
            hand=config.reacher.hand,
        )
    return env, ReacherAgent(
        config.reacher,
        config.simulator,
        seed=config.seed,
        animals=config.animals,
        control_interval_ms=config.control_interval_ms,
        dt_ms=config.dt_ms,
        network=None
        if change_network is unchanged
        else change_network(clustered_cortex(config.reacher.cortex)),
    )


def duration_s(config: DelayedReachConfig) -> float:
    """Return the length of the run (s); with a number of trials about that."""
    trials_s = float("inf") if config.n_trials is None else config.n_trials * config.trial_s()
    return min(trials_s, float("inf") if config.limit_s is None else config.limit_s)


def draw_figures(recording: Recording, config: DelayedReachConfig, folder: Path) -> list[Path]:
    """Draw the figures of a run of this task; Matplotlib is loaded only now, because it takes its time."""
    from ethospike.scenarios.reach import figures as reach_figures

    return reach_figures.draw_all(recording, config, folder)


SCENARIO = Scenario(
    name="delayed-reach",
    about="A clustered cortex waits for a signal and reaches for one of six targets.",
    config=DelayedReachConfig,
    open=open_experiment,
    duration_s=duration_s,
    summarize=reach_measures.measure,
    draw=draw_figures,
    conclude=reach_measures.sentence,
    presets={
        # Enough trials to show the task; Fano factors need ten of a direction.
        "short": {"minutes": 2.0},
        # Cues at half the strength, as in the publication's supplementary figure 3.
        "weak-cue": {"reacher": {"preparatory_pa": 0.05}},
    },
    families={
        "network": {
            name: {
                "reacher": {
                    "cortex": dataclasses.asdict(cortex),
                    **(
                        {"direction_clusters": PUBLISHED_DIRECTIONS[name]}
                        if name in PUBLISHED_DIRECTIONS
                        else {}
                    ),
                }
            }
            for name, cortex in PARAMETER_SETS.items()
        }
    },
)
