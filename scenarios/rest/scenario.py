"""Cortex at rest: spontaneous activity of a clustered cortex, without a body.

Clusters of an E/I-clustered network become active one after the other without an input that selects them
(Rostami et al. 2024, Nat Commun 15:6304). The run uses the same closed loop as every other run; its body
has no sensors and does not move.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from ethospike.agents.resting import RestingCortex
from ethospike.brains.circuits.clustered_cortex import PARAMETER_SETS, clustered_cortex
from ethospike.brains.network import Network
from ethospike.envs.idle import IdleEnv
from ethospike.scenarios.rest import measures as rest_measures
from ethospike.scenarios.rest.config import DEFAULT_NETWORK, RestConfig
from ethospike.scenarios.scenario import Scenario, steps_of_run, unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from ethospike.recorders.recording import Recording


def open_experiment(
    config: RestConfig, change_network: Callable[[Network], Network] = unchanged
) -> tuple[IdleEnv, RestingCortex]:
    """Make the idle body and the cortex."""
    n_control_steps = steps_of_run("minutes", config.minutes, 60.0, config.control_interval_ms)
    env = IdleEnv(config.animals, config.control_interval_ms, n_control_steps)
    cortex = RestingCortex(
        config.cortex,
        config.simulator,
        seed=config.seed,
        animals=config.animals,
        control_interval_ms=config.control_interval_ms,
        dt_ms=config.dt_ms,
        network=None if change_network is unchanged else change_network(clustered_cortex(config.cortex)),
    )
    return env, cortex


def duration_s(config: RestConfig) -> float:
    """Return the length of the run (s)."""
    return config.minutes * 60.0


def draw_figures(recording: Recording, config: RestConfig, folder: Path) -> list[Path]:
    """Draw the figures of a run at rest; Matplotlib is loaded only now, because it takes its time."""
    from ethospike.scenarios.rest import figures as rest_figures

    return rest_figures.draw_all(recording, config, folder)


SCENARIO = Scenario(
    name="cortex-rest",
    about="Spontaneous activity of a clustered cortex: clusters take turns.",
    config=RestConfig,
    open=open_experiment,
    duration_s=duration_s,
    summarize=rest_measures.measure,
    draw=draw_figures,
    conclude=rest_measures.sentence,
    presets={
        "short": {"minutes": 0.25},
        # A control: without clusters, the effects of clustering are missing.
        "unclustered": {"cortex": {"j_plus": 1.0}},
    },
    families={
        "network": {
            name: {"cortex": dataclasses.asdict(PARAMETER_SETS[name])}
            for name in sorted(PARAMETER_SETS, key=lambda name: name != DEFAULT_NETWORK)
        }
    },
)
