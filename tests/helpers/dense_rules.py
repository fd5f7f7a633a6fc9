"""Rules of plasticity computed densely: every trace of every synapse decays in every step.

A second opinion on `brains/network/plasticity`, which goes from event to event. Nothing is shared with it but
the descriptions.
"""

from __future__ import annotations

import numpy as np

from ethospike.brains.network import DopamineSTDP, FilteredSpikes, ModulationChannel, PairSTDP, TDError


class Modulator:
    """The value of a modulator in each step."""

    def __init__(self, network, described, dt):
        self.m, self.dt = described, dt
        self.neurons = None
        if not isinstance(described, ModulationChannel):
            name = described.population if isinstance(described, FilteredSpikes) else described.critic
            self.neurons = network.neurons(name)
        self.numbers = np.zeros(4)  # trace, spikes of the step before, value before, reward so far

    def step(self, step, spiked, modulation, window, grid_ms):
        """Return the integral over a grid interval that ends with this step."""
        at_point = round(step * self.dt / grid_ms, 6) % 1 == 0
        if isinstance(self.m, ModulationChannel):
            given = modulation.get(self.m.name, np.zeros(()))
            return (given[step - window[0]] if given.ndim else given) * grid_ms
        count = spiked[self.neurons].sum()
        if isinstance(self.m, FilteredSpikes):
            self.numbers[0] = (
                self.numbers[0] * np.exp(-self.dt / self.m.tau_n) + self.numbers[1] / self.m.tau_n
            )
            self.numbers[1] = count
            return (self.numbers[0] - self.m.b) * grid_ms
        size = self.neurons.stop - self.neurons.start
        self.numbers[0] = self.numbers[0] * np.exp(-self.dt / self.m.tau_ms) + count / size
        reward = modulation.get(self.m.reward, np.array(np.nan))
        if not np.isnan(reward):
            self.numbers[3] += self.m.reward_scale * reward / window[1]
        if not at_point:
            return 0.0
        rate_hz = 1000.0 * self.numbers[0] / self.m.tau_ms
        value = self.m.value_at_rest + self.m.value_per_hz * rate_hz
        left_ms = (window[0] + window[1] - 1 - step) * self.dt
        if modulation.get(self.m.terminal, 0.0) and left_ms < self.m.terminal_ms - 1e-9:
            value = 0.0
        error = self.numbers[3] + np.exp(-grid_ms / self.m.tau_discount_ms) * value - self.numbers[2]
        self.numbers[2:] = value, 0.0
        return 0.0 if np.isnan(reward) else error


class ThreeFactorDense:
    ARRAYS = ("w", "z", "q", "plus", "minus", "numbers")

    def __init__(self, network, projection, wired, dt):
        self.rule, self.dt, self.w = projection.plasticity, dt, np.array(wired.weight)
        self.source = network.offset(projection.source) + wired.source
        self.target = network.offset(projection.target) + wired.target
        target = network.population(projection.target)
        self.group = wired.target // target.cluster_size
        self.clusters = target.clusters
        self.modulator = Modulator(network, self.rule.modulator, dt)
        self.z, self.q, self.plus, self.minus = np.zeros((4, len(self.w)))

    @property
    def numbers(self):
        return self.modulator.numbers

    def step(self, step, spiked, modulation, window):
        rule, dt = self.rule, self.dt
        pre, post = spiked[self.source], spiked[self.target]
        value = self.modulator.step(step, spiked, modulation, window, rule.grid_ms)
        at_point = round(step * dt / rule.grid_ms, 6) % 1 == 0
        gate = 1.0
        if rule.gate is not None:
            gate = np.asarray(modulation.get(rule.gate, np.zeros(self.clusters)))[self.group]
        if at_point:  # with the eligibility as of the step before
            e = self.q if rule.tau_filter_ms is not None else gate * self.z
            self.w = np.clip(self.w + rule.learning_rate * value * e, rule.Wmin, rule.Wmax)
        self.z = self.z * np.exp(-dt / rule.tau_eligibility_ms)
        self.plus, self.minus = (
            self.plus * np.exp(-dt / rule.tau_plus),
            self.minus * np.exp(-dt / rule.tau_minus),
        )
        self.z = self.z + rule.A_plus * self.plus * post - rule.A_minus * self.minus * pre
        if at_point and rule.tau_filter_ms is not None:
            share = rule.grid_ms / rule.tau_filter_ms
            self.q = self.q * np.exp(-share) + share * gate * self.z
        self.plus, self.minus = self.plus + pre, self.minus + post
        return self.w


class StdpDense:
    """Both STDP rules; target spikes wait in a line for each synapse until they arrive."""

    ARRAYS = ("w", "plus", "minus", "line", "c", "n")

    def __init__(self, network, projection, wired, dt):
        self.rule, self.dt, self.w = projection.plasticity, dt, np.array(wired.weight)
        self.source = network.offset(projection.source) + wired.source
        self.target = network.offset(projection.target) + wired.target
        self.delay = np.maximum(1, np.round(wired.delay_ms / dt)).astype(int)
        self.line = np.zeros((int(self.delay.max(initial=1)) + 1, len(self.w)))
        self.plus, self.minus, self.c = np.zeros((3, len(self.w)))
        self.n = np.zeros(2)  # dopamine, and spikes of the step before
        self.heard = None
        if isinstance(self.rule, DopamineSTDP):
            self.heard = network.neurons(self.rule.modulator.population)

    def step(self, step, spiked, modulation, window):
        rule, dt, each = self.rule, self.dt, np.arange(len(self.w))
        pre = spiked[self.source]
        self.line[(step + self.delay) % len(self.line), each] += spiked[self.target]
        arriving = self.line[step % len(self.line)] > 0
        self.line[step % len(self.line)] = 0
        self.plus, self.minus = (
            self.plus * np.exp(-dt / rule.tau_plus),
            self.minus * np.exp(-dt / rule.tau_minus),
        )
        if isinstance(rule, PairSTDP):
            share = self.w / rule.Wmax
            up = np.minimum(share + rule.lambda_ * (1 - share) ** rule.mu_plus * self.plus, 1.0)
            share = np.where(arriving, up, share)
            down = np.maximum(share - rule.alpha * rule.lambda_ * share**rule.mu_minus * self.minus, 0.0)
            self.w = np.where(pre, down, share) * rule.Wmax
        else:
            self._dopamine(spiked)
            self.c = self.c + rule.A_plus * self.plus * arriving - rule.A_minus * self.minus * pre
        self.plus, self.minus = self.plus + pre, self.minus + arriving
        return self.w

    def _dopamine(self, spiked):
        """Integrate c(t) (n(t) − b) over the step, and let the spikes of the step before arrive."""
        rule, tau_n, tau_c = self.rule, self.rule.modulator.tau_n, self.rule.tau_c
        both = 1 / tau_n + 1 / tau_c
        gained = self.n[0] * (1 - np.exp(-both * self.dt)) / both
        gained -= rule.modulator.b * tau_c * (1 - np.exp(-self.dt / tau_c))
        self.w = np.clip(self.w + self.c * gained, rule.Wmin, rule.Wmax)
        self.c = self.c * np.exp(-self.dt / tau_c)
        self.n[0] = self.n[0] * np.exp(-self.dt / tau_n) + self.n[1] / tau_n
        self.n[1] = spiked[self.heard].sum()


def dense_rule(network, projection, wired, dt):
    """Return the rule of a projection in one animal."""
    is_stdp = isinstance(projection.plasticity, (PairSTDP, DopamineSTDP))
    return (StdpDense if is_stdp else ThreeFactorDense)(network, projection, wired, dt)


__all__ = ["Modulator", "StdpDense", "TDError", "ThreeFactorDense", "dense_rule"]
