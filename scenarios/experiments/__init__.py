"""Experiments: groups of animals that are compared (docs/experiments.md)."""

from ethospike.scenarios.experiments.comparison import Design, compare
from ethospike.scenarios.experiments.experiment import Experiment, find_experiment

__all__ = ["Design", "Experiment", "compare", "find_experiment"]
