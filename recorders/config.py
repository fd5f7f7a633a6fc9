"""The choice of the data that are recorded, and of the way, checked against the layout of a run."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ethospike.clock import whole_number
from ethospike.errors import RecordingError
from ethospike.recorders.format import ARM_PREFIX, PHASE
from ethospike.recorders.labels import neurons_with
from ethospike.recorders.recorder import Layout
from ethospike.shown import Shown

V_M = "V_m"
ALL = "all"
"""Stands for every variable or every population."""
_NEURON = re.compile(r"(.+)\[(\d+)\]")


@dataclass(frozen=True)
class RecorderConfig(Shown):
    """Choice of the data that are recorded, and of the way.

    Raises
    ------
    RecordingError
        When a number is not finite or out of its range. Names, neurons and animals are checked against the
        layout of a run when its recording is made.
    """

    behavior: tuple[str, ...] = (ALL,)
    """Variables of `behavior/` to record by name; `all` is every one. `phase` is always recorded, because the
    table of phases is made from it, and so are the variables of control arms, because their proofs are."""
    spike_populations: tuple[str, ...] = (ALL,)
    """Populations to list single spikes of; `all` lists those of every population, an empty sequence lists no
    spikes. Spike counts are always recorded for all."""
    spike_animals: tuple[int, ...] | None = None
    """Animals to list single spikes of, from 0; by default all."""
    stimulus: bool = True
    """Record the rates and currents that entered the network."""
    weights_every_s: float = 1.0
    """Simulated seconds between two recordings of plastic weights, a whole number of control steps; they are
    also recorded after the first step and when the phase changes. 0 records none."""
    voltages: tuple[str, ...] = ()
    """Neurons whose membrane potential is recorded at every simulation step, such as `KC[3]`: neuron 3, from
    0, of the population KC, in every animal; or neurons by their labels, such as `class=KC` or
    `class=KC,side=left`."""
    recordable: str = V_M
    """Quantity that is recorded of these neurons: V_m (mV), or on NEST any number that the status of all of
    them has, such as g_ex, in NEST's unit."""
    commit_every_s: float = 10.0
    """Wall time in seconds after which recorded steps cannot be lost any more; 0 commits every step."""
    writer: Literal["process", "inline"] = "process"
    """The writer: a process of its own, beside the simulation, or the loop itself (`inline`)."""
    compression_level: int = 5
    """Level of Zstandard, 1 (fast) to 9 (small). On 150,000 spikes/s of 25,000 neurons, 9 saves 4 % and
    takes 40 times as long as 5, and 1 costs 5 % more and takes half as long."""

    def __post_init__(self) -> None:
        for name in ("weights_every_s", "commit_every_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise RecordingError(f"recorder.{name}: expected seconds of at least 0, got {value}")
        if self.writer not in ("process", "inline"):
            raise RecordingError(f"recorder.writer: expected process or inline, got {self.writer!r}")
        if not self.recordable.isidentifier():
            raise RecordingError(
                f"recorder.recordable: expected the name of a quantity, got {self.recordable!r}"
            )
        if self.recordable != V_M and not self.voltages:
            raise RecordingError(
                f"recorder.recordable: {self.recordable} of no neuron is recorded; name some in "
                f"recorder.voltages"
            )
        if self.compression_level not in range(1, 10):
            raise RecordingError(f"recorder.compression_level: expected 1 … 9, got {self.compression_level}")

    def kept_behavior(self, layout: Layout) -> set[str]:
        """Return the names of the variables to record."""
        always = {name for name in layout.variables if name == PHASE or name.startswith(ARM_PREFIX)}
        return _chosen("recorder.behavior", self.behavior, layout.variables) | always

    def kept_spikes(self, layout: Layout) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return for each neuron of an animal, and for each animal, whether its spikes are listed."""
        names = [population.name for population in layout.populations]
        chosen = _chosen("recorder.spike_populations", self.spike_populations, names)
        neurons = np.zeros(max((p.start + p.size for p in layout.populations), default=0), bool)
        for population in layout.populations:
            neurons[population.start : population.start + population.size] = population.name in chosen
        animals = np.ones(layout.animals, bool)
        if self.spike_animals is not None:
            if unknown := set(self.spike_animals) - set(range(layout.animals)):
                raise RecordingError(
                    f"recorder.spike_animals: there is no animal {min(unknown)}; "
                    f"valid: 0 … {layout.animals - 1}"
                )
            animals[:] = np.isin(np.arange(layout.animals), self.spike_animals)
        return neurons, animals

    def watched(self, layout: Layout) -> tuple[int, ...]:
        """Return the neurons with recorded voltages, counted through an animal."""
        neurons = (neuron for name in self.voltages for neuron in _neurons(name, layout))
        return tuple(dict.fromkeys(neurons))

    def weight_steps(self, layout: Layout) -> int:
        """Return the control steps between two recordings of weights, 0 for none."""
        if self.weights_every_s == 0 or not layout.weights:
            return 0
        steps = whole_number(self.weights_every_s * 1000.0, layout.control_interval_ms)
        if steps is None:
            raise RecordingError(
                f"recorder.weights_every_s: {self.weights_every_s} s is not a whole number of control steps "
                f"of {layout.control_interval_ms} ms"
            )
        return steps

    def content(self, layout: Layout) -> dict[str, Any]:
        """Return the choices that decide on the values in a recording, for the recording's attributes."""
        neurons, animals = self.kept_spikes(layout)
        return {
            "behavior": sorted(self.kept_behavior(layout)),
            "spike_populations": [p.name for p in layout.populations if neurons[p.start]],
            "spike_animals": np.flatnonzero(animals).tolist(),
            "stimulus": self.stimulus,
            "weights_every_s": float(self.weights_every_s),
        }


def _neurons(name: str, layout: Layout) -> list[int]:
    """Return the neurons that `POPULATION[NUMBER]` or `KIND=LABEL` names."""
    if "=" in name and not name.endswith("]"):
        return [int(neuron) for neuron in neurons_with(_wanted_labels(name), layout.labels)]
    parts = _NEURON.fullmatch(name)
    if parts is None:
        raise RecordingError(
            f"recorder.voltages: expected a neuron, 'KC[3]', or labels, 'class=KC', got {name!r}"
        )
    populations = {population.name: population for population in layout.populations}
    if parts[1] not in populations:
        raise _unknown("recorder.voltages", parts[1], populations)
    population = populations[parts[1]]
    if int(parts[2]) >= population.size:
        raise RecordingError(
            f"recorder.voltages: there is no {name}; valid: {population.name}[0] … "
            f"{population.name}[{population.size - 1}]"
        )
    return [population.start + int(parts[2])]


def _wanted_labels(name: str) -> dict[str, str]:
    wanted = [part.partition("=") for part in name.split(",")]
    if not all(kind.strip() and equals and value.strip() for kind, equals, value in wanted):
        raise RecordingError(f"recorder.voltages: expected labels such as 'class=KC,side=left', got {name!r}")
    return {kind.strip(): value.strip() for kind, _, value in wanted}


def _chosen(setting: str, chosen: tuple[str, ...], names: Iterable[str]) -> set[str]:
    names = list(names)
    if chosen == (ALL,):
        return set(names)
    for name in chosen:
        if name not in names:
            raise _unknown(setting, name, [ALL, *names])
    return set(chosen)


def _unknown(setting: str, name: str, valid: Iterable[str]) -> RecordingError:
    valid = list(valid)
    close = difflib.get_close_matches(name, valid, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(valid) or 'none'}"
    return RecordingError(f"{setting}: there is no {name!r}; {hint}")
