"""Tasks of Gymnasium as presets of `reward-learning`, with the settings of all agents.

The settings were chosen with seeds from 1,000 on; the benchmark uses seeds from 1 on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskPreset:
    """A task, and its place in the benchmark.

    Parameters
    ----------
    about : str
        The task in a sentence, with its optimum and the return of chance.
    settings : nested mapping
        Deviations from the configuration of `reward-learning`.
    agents : tuple of str
        Agents of the benchmark; the arms are those of the first.
    arms : tuple of str
        Control arms of the benchmark.
    of, variant : str
        The task of which this is a variant, and the name of the variant; it stands in the table of that task.
    """

    about: str
    settings: Mapping[str, Any]
    agents: tuple[str, ...]
    arms: tuple[str, ...] = ()
    of: str = ""
    variant: str = ""


SPIKING, ARMS = ("actor-critic", "reward-stdp"), ("freeze", "shuffle-modulation", "gate-off")
NEURONLESS = ("td", "random")
_FEW = {"cells": 4, "code_hz": 200.0}
"""Neurons of a code of categories: one channel is active at a time, so that its neurons may fire fast."""
_STATES: Mapping[str, Any] = {
    "control_interval_ms": 100.0,
    # Observations jump from step to step. Rates have followed at the end of a window, and there weights
    # change, with the eligibility of the window before. V is 0 at first, and a reward is large beside its
    # noise.
    "actor_critic": {
        "neurons": _FEW,
        "grid_ms": 100.0,
        "tau_feedback_ms": 100.0,
        "tau_critic_ms": 100.0,
        "critic_rate": 0.0046,
        "actor_rate": 0.0115,
        "value_at_rest": -0.58,
        "reward_scale": 3.0,
    },
    "reward_stdp": {"neurons": _FEW, "learning_rate": 0.2},
    "td": {"reward_scale": 1.0, "actor_rate": 2.0},
}
"""Settings for tasks of categories with a reward of 1 at the end."""


def _lake(*make: str, episodes: int) -> Mapping[str, Any]:
    settings = {"env": "FrozenLake-v1", "make": make, "episodes": episodes, "evaluation_episodes": 20}
    return {**_STATES, **settings}


TASKS: Mapping[str, TaskPreset] = {
    "cue-bandit": TaskPreset(
        "Eight cues, four actions, one step; optimum 1, chance 0.25.",
        {
            **_STATES,
            "env": "ethospike/CueBandit-v0",
            "episodes": 500,
            "evaluation_episodes": 20,
        },
        (*SPIKING, *NEURONLESS),
        ARMS,
    ),
    "frozen-lake": TaskPreset(
        "FrozenLake 4×4 without slip; optimum 1, chance 0.014.",
        _lake("is_slippery=false", episodes=600),
        (*SPIKING, *NEURONLESS),
        ARMS,
    ),
    "frozen-lake-slippery": TaskPreset(
        "FrozenLake 4×4 with slip; optimum 0.744 within 100 steps, Gymnasium's threshold 0.70, chance 0.014.",
        _lake(episodes=1000),
        (*SPIKING, *NEURONLESS),
    ),
    "cartpole": TaskPreset(
        "A pole on a cart, +1 a step, at most 500; Gymnasium's threshold 475, chance 22.",
        {"env": "CartPole-v1", "episodes": 300, "evaluation_episodes": 10},
        (*SPIKING, *NEURONLESS),
        ARMS,
    ),
    "cartpole-below-50-hz": TaskPreset(
        "In the variant below 50 Hz, populations of critic and actor are twice as large, and half the rates "
        "say the same.",
        {
            "env": "CartPole-v1",
            "episodes": 600,
            "evaluation_episodes": 10,
            # Twice the neurons, of which each rate means twice as much: values and preferences are as noisy
            # as those of half as many neurons at twice the rates. A drive of 0.22 mV/ms makes 9 Hz, value 0.
            "actor_critic": {
                "neurons": {"critic": 80, "actor": 40, "drive_mv_per_ms": 0.22},
                "value_per_hz": 0.09,
                "hz_per_preference": 2.0,
            },
        },
        ("actor-critic",),
        of="cartpole",
        variant="below 50 Hz",
    ),
    "acrobot": TaskPreset(
        "Two links to swing up, −1 a step, at least −500; Gymnasium's threshold −100, chance −500.",
        {
            "env": "Acrobot-v1",
            "control_interval_ms": 20.0,
            "episodes": 200,
            "evaluation_episodes": 5,
            "actor_critic": {"neurons": {"together": 2}, "value_at_rest": -0.8, "reward_scale": 0.02},
        },
        ("actor-critic", *NEURONLESS),
    ),
    "mountain-car": TaskPreset(
        "A car between two hills, −1 a step, at least −200, not shaped; Gymnasium's threshold −110, chance "
        "−200.",
        {
            "env": "MountainCar-v0",
            "episodes": 300,
            "evaluation_episodes": 5,
            "actor_critic": {"neurons": {"order": 4}},
        },
        ("actor-critic", *NEURONLESS),
    ),
    "pendulum": TaskPreset(
        "A pendulum to swing up, 200 steps, −16 … 0 a step; chance −1,200.",
        {
            "env": "Pendulum-v1",
            "control_interval_ms": 20.0,
            "episodes": 150,
            "evaluation_episodes": 5,
            "actor_critic": {"neurons": {"order": 3}, "reward_scale": 0.005},
            "td": {"reward_scale": 0.005},
        },
        ("actor-critic", *NEURONLESS),
    ),
    "lunar-lander": TaskPreset(
        "A lander on the moon (Box2D), −100 for a crash, +100 for rest; Gymnasium's threshold 200, chance "
        "−180.",
        {
            "env": "LunarLander-v3",
            "control_interval_ms": 20.0,
            "episodes": 300,
            "evaluation_episodes": 5,
            # Pairs of the eight entries make 128 channels. A crash is worth −1; the critic can say −0.8.
            "actor_critic": {"neurons": {"together": 2}, "reward_scale": 0.01},
            "td": {"reward_scale": 0.01},
        },
        ("actor-critic", *NEURONLESS),
    ),
    "reacher": TaskPreset(
        "An arm of two joints reaches for a point (MuJoCo), 50 steps, minus distance and effort a step; "
        "chance −43.",
        {
            "env": "Reacher-v5",
            "control_interval_ms": 20.0,
            "episodes": 400,
            "evaluation_episodes": 5,
            "actor_critic": {"neurons": {"together": 2}, "reward_scale": 0.05},
            "td": {"reward_scale": 0.05},
        },
        ("actor-critic", *NEURONLESS),
    ),
    "blackjack": TaskPreset(
        "Blackjack against a dealer, ±1 a hand; optimum −0.043, always stick −0.183, chance −0.394.",
        {
            **_STATES,
            "env": "Blackjack-v1",
            "episodes": 10000,
            "evaluation_episodes": 1000,
            # A hand is lost or won by 1, and the critic can say −0.58 at the least.
            "actor_critic": {**_STATES["actor_critic"], "reward_scale": 0.5},
        },
        ("actor-critic", *NEURONLESS),
    ),
    "odor-foraging": TaskPreset(
        "The odor arena, 180 s: +1 a step at odor A's patch, −1 at odor B's; a larva sees neither of them.",
        {
            "env": "ethospike/OdorArena-v0",
            "dt_ms": 0.1,
            "control_interval_ms": 100.0,
            "blank_ms": 1000.0,
            "episodes": 10,
            "evaluation_episodes": 2,
            # The published rate: a larva crosses a patch in some 20 s, and there are no training cycles here.
            "brain": {"learning_rate": 0.3},
            # Odors that share no receptors. With the default pair, Kenyon cells that answer to both carry
            # what is learned of one odor to the other: after a punishment at B the preference at A was 0.
            "larva": {"patterns": {"A": "odor1", "B": "odor4"}},
        },
        ("larva", "random"),
        ("freeze",),
    ),
}
"""The tasks by the name of their preset, in the order of the benchmark's page."""

PRESETS: Mapping[str, Mapping[str, Any]] = {name: task.settings for name, task in TASKS.items()}
"""The tasks as presets of the scenario."""
