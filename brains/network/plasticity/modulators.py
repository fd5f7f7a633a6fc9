"""Modulators of plasticity, and their values on a grid of time.

A modulator has a value at each grid point: the multiples of the rule's `grid_ms`, counted from step 0. The
value is the integral of the modulator over the interval that ends there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.plasticity.reference import Events
from ethospike.errors import BrainError

_Floats = NDArray[np.float64]


def _check_above_0(where: str, **values: float) -> None:
    for name, value in values.items():
        if not 0 < value < np.inf:
            raise BrainError(f"{where}.{name}: expected a finite number > 0, got {value}")


def _check_finite(where: str, **values: float) -> None:
    for name, value in values.items():
        if not np.isfinite(value):
            raise BrainError(f"{where}.{name}: expected a finite number, got {value}")


@dataclass(frozen=True)
class FilteredSpikes:
    """The filtered spikes of a population above a baseline: n(t) − b, as of NEST's dopamine synapses.

    Each spike adds 1/tau_n to n one step later (the shortest delay of NEST's volume transmitter), and n
    decays with tau_n.

    Parameters
    ----------
    population : str
    tau_n : float
        Time constant (ms).
    b : float
        Baseline (1/ms): n below it reverses the sign of learning.
    """

    population: str
    tau_n: float = 200.0
    b: float = 0.0

    def __post_init__(self) -> None:
        _check_above_0("FilteredSpikes", tau_n=self.tau_n)
        _check_finite("FilteredSpikes", b=self.b)

    @property
    def channels(self) -> tuple[str, ...]:
        """No channel of `Stimulus.modulation`."""
        return ()


@dataclass(frozen=True)
class ModulationChannel:
    """A channel of `Stimulus.modulation`: one value an animal for the window, or one for each step.

    A window without the channel counts as 0.
    """

    name: str

    @property
    def channels(self) -> tuple[str, ...]:
        """The channel."""
        return (self.name,)


@dataclass(frozen=True)
class TDError:
    """The temporal-difference error of a spiking critic: δ = r + γ V(t) − V(t − grid) at each grid point.

    V = value_at_rest + value_per_hz × (rate of the critic's neurons in Hz, filtered by tau_ms). The reward of
    a window is spread evenly over it. With a terminal flag, V counts as 0 in the last `terminal_ms` of the
    window. A window without a reward, or with NaN, has no error: δ = 0. docs/design.md §2 says which reward
    acts in which window.

    Parameters
    ----------
    critic : str
        Name of the population.
    value_per_hz, value_at_rest : float
        In the unit of the scaled reward.
    tau_ms : float
        Filter of the critic's spikes.
    tau_discount_ms : float
        γ = exp(−grid / tau_discount_ms).
    reward_scale : float
        Factor of the reward.
    reward, terminal : str
        Channels of `Stimulus.modulation`, one value an animal and window.
    terminal_ms : float
        Chosen as of Chung & Kozma 2020 (arXiv 2008.13044): two grid points of 1 ms.
    """

    critic: str
    value_per_hz: float = 0.002
    value_at_rest: float = 0.0
    tau_ms: float = 20.0
    tau_discount_ms: float = 1000.0
    reward_scale: float = 1.0
    reward: str = "reward"
    terminal: str = "terminal"
    terminal_ms: float = 2.0

    def __post_init__(self) -> None:
        _check_above_0(
            "TDError",
            tau_ms=self.tau_ms,
            tau_discount_ms=self.tau_discount_ms,
            terminal_ms=self.terminal_ms,
        )
        _check_finite(
            "TDError",
            value_per_hz=self.value_per_hz,
            value_at_rest=self.value_at_rest,
            reward_scale=self.reward_scale,
        )
        if self.reward == self.terminal:
            raise BrainError(f"TDError: expected two channels, got {self.reward!r} for reward and terminal")

    @property
    def channels(self) -> tuple[str, ...]:
        """Reward and terminal flag."""
        return self.reward, self.terminal


Modulator = FilteredSpikes | ModulationChannel | TDError


class ModulatorValues:
    """The reference of a modulator: its values at the grid points of consecutive windows of one animal.

    Parameters
    ----------
    modulator : Modulator
    n_neurons : int
        Neurons of the modulator's population, if it has one.
    grid_steps : int
    dt_ms : float
    """

    def __init__(self, modulator: Modulator, n_neurons: int, grid_steps: int, dt_ms: float) -> None:
        self._modulator, self._n, self._grid, self._dt = modulator, n_neurons, grid_steps, dt_ms
        self.trace = self.pending = self.value_before = self.reward_sum = 0.0

    @property
    def memory(self) -> list[float]:
        """All that the next values depend on."""
        return [self.trace, self.pending, self.value_before, self.reward_sum]

    @memory.setter
    def memory(self, values: list[float]) -> None:
        self.trace, self.pending, self.value_before, self.reward_sum = values

    def values(self, events: Events) -> _Floats:
        """Return the values at the grid points of a window, or of the next part of it."""
        counts = enumerate(events.counts().tolist(), events.first_step)
        match self._modulator:
            case FilteredSpikes() as spikes:
                return self._filtered(spikes, counts)
            case TDError() as error:
                return self._errors(error, counts, events)
        first, n_steps = events.window or (events.first_step, events.n_steps)
        given = np.broadcast_to(events.modulation.get(self._modulator.name, np.zeros(())), (n_steps,))
        points = [step for step, _ in counts if step % self._grid == 0]
        return given[np.array(points, dtype=np.int64) - first] * (self._grid * self._dt)

    def _filtered(self, spikes: FilteredSpikes, counts: Iterable[tuple[int, int]]) -> _Floats:
        decay, values = math.exp(-self._dt / spikes.tau_n), []
        for step, count in counts:
            self.trace = self.trace * decay + self.pending / spikes.tau_n
            self.pending = float(count)
            if step % self._grid == 0:
                values.append((self.trace - spikes.b) * (self._grid * self._dt))
        return np.array(values)

    def _errors(self, error: TDError, counts: Iterable[tuple[int, int]], events: Events) -> _Floats:
        first, n_steps = events.window or (events.first_step, events.n_steps)
        reward = float(events.modulation.get(error.reward, np.array(np.nan)))
        is_on, terminal_from = not math.isnan(reward), first + n_steps
        if bool(events.modulation.get(error.terminal, np.array(0.0))):
            terminal_from -= max(1, round(error.terminal_ms / self._dt))
        each = error.reward_scale * reward / n_steps if is_on else 0.0
        decay, gamma, per_trace = td_constants(error, self._grid, self._dt)
        values = []
        for step, count in counts:
            self.trace = self.trace * decay + count / self._n
            self.reward_sum += each
            if step % self._grid == 0:
                value = 0.0 if step >= terminal_from else error.value_at_rest + per_trace * self.trace
                values.append((self.reward_sum + gamma * value) - self.value_before if is_on else 0.0)
                self.value_before, self.reward_sum = value, 0.0
        return np.array(values)


def td_constants(error: TDError, grid_steps: int, dt_ms: float) -> tuple[float, float, float]:
    """Return the decay of the trace in a step, γ of a grid interval, and value per unit of the trace."""
    return (
        math.exp(-dt_ms / error.tau_ms),
        math.exp(-grid_steps * dt_ms / error.tau_discount_ms),
        error.value_per_hz * 1000.0 / error.tau_ms,
    )
