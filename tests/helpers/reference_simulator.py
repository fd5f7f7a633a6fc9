"""A third opinion: the contract in plain NumPy, slow and clear, written from the equations alone.

`iaf_psc_exp` is advanced by its exact propagator, the conductance-based models by Runge-Kutta's fourth
order with exactly decaying conductances. `broken_simulators.py` breaks it in one place at a time.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from dense_rules import dense_rule
from numpy.typing import NDArray

from ethospike.brains.network import NEURON_MODELS, DopamineGated
from ethospike.brains.simulator import Capabilities, Simulator, SimulatorSettings, SpikeBlock, Stimulus
from ethospike.brains.simulator.contract import FREE, SILENT
from ethospike.errors import BrainError
from ethospike.randomness import generator_state, set_generator_state
from ethospike.states import State

LEAKY = {"iaf_psc_exp": "current", "iaf_cond_exp": "conductance", "iaf_cond_exp_sfa_rr": "conductance"}
JUMPING = {"iaf_psc_delta": "delta", "pp_psc_delta": "stochastic"}


def kind_of(model: str) -> str:
    return (LEAKY | JUMPING)[model]


KEYS = sorted({key for model in NEURON_MODELS.values() for key in model.parameters})


class ReferenceSimulator(Simulator):
    name: ClassVar[str] = "reference"
    capabilities: ClassVar[Capabilities] = Capabilities(
        restores_state=True, records_voltage=True, exact_plasticity=True
    )

    # -- making the network ---------------------------------------------------------------------------

    def _build(self) -> None:
        net, n = self.network, self.network.n_neurons
        self.n = self.animals * n
        self.p = {key: np.full(self.n, np.nan) for key in KEYS}
        for pop in net.populations:
            if pop.model not in (*LEAKY, *JUMPING):
                raise BrainError(f"the reference lacks {pop.neuron_model.name}")
        if len({kind_of(pop.model) for pop in net.populations}) > 1:
            raise BrainError("the reference runs models of one kind in a network")
        self.kind = kind_of(net.populations[0].model)
        self.is_sfa = np.zeros(self.n, dtype=bool)
        for animal in range(self.animals):
            for pop in net.populations:
                own = np.arange(self.n)[animal * n :][net.neurons(pop.name)]
                for key in pop.neuron_model.parameters:
                    self.p[key][own] = self.parameter(pop.name, key, animal)
                self.is_sfa[own] = pop.model == "iaf_cond_exp_sfa_rr"
        if self.kind == "stochastic":
            self.p |= {"t_ref": self.p["dead_time"], "E_L": np.zeros(self.n), "V_reset": np.zeros(self.n)}
            self.q = np.zeros(self.n)
            self.rng = np.random.default_rng(self.seed)
        for key, anything in (("tau_sfa", 1.0), ("q_sfa", 0.0), ("E_sfa", 0.0)):  # of cells that do not adapt
            self.p[key] = np.where(self.is_sfa, self.p[key], anything)
        self.decays: dict[tuple[str, float], NDArray[np.float64]] = {}
        self.n_refractory = np.round(self.p["t_ref"] / self.dt_ms)
        self.V = self.p["V_m"].copy()
        self.syn_ex, self.syn_in, self.g_sfa = np.zeros((3, self.n))
        self.refractory = np.zeros(self.n)
        self.I_now, self.I_next = np.zeros((2, self.n))  # acting in this step; in the next one
        self.suppressed = np.zeros(self.n, dtype=np.int64)
        self._wire()
        inputs = [self.delay_steps(i.name, i.delay_ms) for i in net.spike_inputs]
        self.max_delay = 1 + max([*inputs, *(int(d.max(initial=1)) for d in self.delay.values())], default=1)
        self.ring_ex, self.ring_in = np.zeros((2, self.max_delay, self.n))
        self.watched: NDArray[np.integer] = np.empty(0, np.int64)
        self.recorded: list[NDArray[np.float64]] = []

    def parameter(self, population: str, key: str, animal: int) -> NDArray[np.float64]:
        return self.network.parameter(population, key, self.seed, animal)

    def synapses(self, projection: str, animal: int):
        return self._synapses(projection, animal)

    def _wire(self) -> None:
        """One row a synapse: (projection, animal) -> source, target, weight; inputs the same by channel."""
        net, n = self.network, self.network.n_neurons
        self.source, self.target, self.w, self.delay = {}, {}, {}, {}
        for proj in net.projections:
            for animal in range(self.animals):
                key = (proj.name, animal)
                wired = self.synapses(proj.name, animal)
                self.source[key] = animal * n + net.offset(proj.source) + wired.source
                self.target[key] = animal * n + net.offset(proj.target) + wired.target
                self.w[key] = wired.weight.copy()
                self.delay[key] = np.maximum(1, np.round(wired.delay_ms / self.dt_ms)).astype(int)
        self.w0 = {key: w.copy() for key, w in self.w.items()}
        self.rules = {
            (proj.name, animal): dense_rule(net, proj, self.synapses(proj.name, animal), self.dt_ms)
            for proj in net.plastic_projections
            if not isinstance(proj.plasticity, DopamineGated)
            for animal in range(self.animals)
        }
        self.trace = {key: np.zeros(len(w)) for key, w in self.w.items()}
        self.channels = []  # (neurons of one animal, weight, delay in steps)
        for one in net.spike_inputs:
            for neurons in net.channel_neurons(one):
                self.channels.append((neurons, one.weight, self.delay_steps(one.name, one.delay_ms)))
        self.current_neurons = [row for one in net.current_inputs for row in net.channel_neurons(one)]

    # -- running --------------------------------------------------------------------------------------

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        given, self._n_steps = np.zeros(self.n), n_steps
        if stimulus.current_pa is not None:
            for animal in range(self.animals):
                for channel, neurons in enumerate(self.current_neurons):
                    given[animal * self.network.n_neurons + neurons] += stimulus.current_pa[animal, channel]
        steps, neurons, self.recorded = [], [], []
        at = 0
        for step in range(self.step + 1, self.step + n_steps + 1):
            while at < len(stimulus.step) and stimulus.step[at] == step:
                self._send_input(step, int(stimulus.animal[at]), int(stimulus.channel[at]))
                at += 1
            fired = self._advance(step, given)
            kept = self._level.ravel()[fired] != SILENT
            np.add.at(self.suppressed, fired[~kept], 1)
            fired = fired[kept]
            self._apply_rules(step, fired, stimulus)
            if len(fired):
                self._learn_and_send(step, fired)
                steps.append(np.full(len(fired), step))
                neurons.append(fired)
            if len(self.watched):
                self.recorded.append(self.V.reshape(self.animals, -1)[:, self.watched])
        if not steps:
            return SpikeBlock.empty()
        flat = np.concatenate(neurons)
        animal, neuron = np.divmod(flat, self.network.n_neurons)
        return SpikeBlock.sorted(np.concatenate(steps), animal, neuron)

    def _send_input(self, step: int, animal: int, channel: int) -> None:
        neurons, weight, delay = self.channels[channel]
        self._deliver(step + delay, animal * self.network.n_neurons + neurons, weight)

    def _deliver(self, step, neurons, weight) -> None:
        slot = step % self.max_delay
        np.add.at(self.ring_ex, (slot, neurons), np.maximum(weight, 0))
        np.add.at(self.ring_in, (slot, neurons), np.minimum(weight, 0))

    def _advance(self, step: int, given) -> NDArray[np.int64]:
        p, dt = self.p, self.dt_ms
        free = self.refractory == 0
        V = self._cond() if self.kind == "conductance" else self._psc()
        if self.kind in JUMPING.values():
            slot = step % self.max_delay
            V = V + self.ring_ex[slot] + self.ring_in[slot]
            self.ring_ex[slot] = self.ring_in[slot] = 0
        self.V = np.where(free, V, p["V_reset"])
        self.refractory = np.where(free, 0, self.refractory - 1)
        if self.kind not in JUMPING.values():
            self.syn_ex *= self.decay("tau_syn_ex", dt)
            self.syn_in *= self.decay("tau_syn_in", dt)
        self.g_sfa *= self.decay("tau_sfa", dt)
        slot = step % self.max_delay
        self.syn_ex += self.ring_ex[slot]
        self.syn_in += self.ring_in[slot]
        self.ring_ex[slot] = self.ring_in[slot] = 0
        self.I_now, self.I_next = self.I_next, given
        fired = np.flatnonzero(free & self._crosses())
        self._reset(fired)
        return fired

    def _crosses(self) -> NDArray[np.bool_]:
        if self.kind != "stochastic":
            return np.greater_equal(self.V, self.p["V_th"])
        rate = self.p["c_1"] * self.V + self.p["c_2"] * np.exp(self.p["c_3"] * self.V)
        return self.rng.random(self.n) < -np.expm1(-rate * self.dt_ms * 1e-3)

    def _reset(self, fired) -> None:
        self.V[fired] = self.p["V_reset"][fired]
        self.refractory[fired] = self.n_refractory[fired]
        self.g_sfa[fired] += self.p["q_sfa"][fired]

    def _psc(self) -> NDArray[np.float64]:
        """Exact: dV/dt = −(V − E_L)/τ + (I_e + I + i_ex + i_in)/C with exponentially decaying i."""
        p, dt = self.p, self.dt_ms
        leak = self.decay("tau_m", dt)
        V = p["E_L"] + (self.V - p["E_L"]) * leak
        V = V + (p["I_e"] + self.I_now) * p["tau_m"] / p["C_m"] * (1 - leak)
        if self.kind in JUMPING.values():
            return V
        for current, key in ((self.syn_ex, "tau_syn_ex"), (self.syn_in, "tau_syn_in")):
            gain = p[key] * p["tau_m"] / (p["C_m"] * (p["tau_m"] - p[key]))
            V = V + current * gain * (leak - self.decay(key, dt))
        return V

    def _cond(self) -> NDArray[np.float64]:
        """Runge-Kutta 4: C dV/dt = −g_L (V − E_L) − g_ex (V − E_ex) − … + I_e + I."""
        p, dt = self.p, self.dt_ms

        def slope(V, after):
            g_ex = self.syn_ex * self.decay("tau_syn_ex", after)
            g_in = -self.syn_in * self.decay("tau_syn_in", after)
            g_sfa = self.g_sfa * self.decay("tau_sfa", after)
            current = p["I_e"] + self.I_now - p["g_L"] * (V - p["E_L"])
            current = current - g_ex * (V - p["E_ex"]) - g_in * (V - p["E_in"]) - g_sfa * (V - p["E_sfa"])
            return current / p["C_m"]

        # Conductances of a thousand nS make the equation stiff: substeps keep it accurate.
        fastest = ((p["g_L"] + self.syn_ex - self.syn_in + self.g_sfa) / p["C_m"]).max() * dt
        substeps = int(np.ceil(fastest / 0.5))
        V, h = self.V, dt / substeps
        for part in range(substeps):
            t = part * h
            a = slope(V, t)
            b = slope(V + h / 2 * a, t + h / 2)
            c = slope(V + h / 2 * b, t + h / 2)
            d = slope(V + h * c, t + h)
            V = V + h / 6 * (a + 2 * b + 2 * c + d)
        return V

    def decay(self, key: str, after: float) -> NDArray[np.float64]:
        """Return exp(−after / tau), remembered."""
        if (key, after) not in self.decays:
            self.decays[key, after] = np.exp(-after / self.p[key])
        return self.decays[key, after]

    def _learn_and_send(self, step: int, fired) -> None:
        spiked = np.zeros(self.n, dtype=bool)
        spiked[fired] = True
        self.reaching = spiked & (self._level.ravel() == FREE)
        for proj in self.network.projections:
            for animal in range(self.animals):
                key = (proj.name, animal)
                if isinstance(proj.plasticity, DopamineGated):
                    self._learn(step, key, proj.plasticity, animal, spiked)
                own = self.reaching[self.source[key]]
                if own.any():
                    self._deliver(step + self.delay[key][own], self.target[key][own], self.w[key][own])

    def _apply_rules(self, step: int, fired, stimulus) -> None:
        """Apply the rules other than DopamineGated, which have code of their own (`dense_rules.py`)."""
        spiked = np.zeros((self.animals, self.network.n_neurons), dtype=bool)
        spiked.flat[fired] = True
        for (name, animal), rule in self.rules.items():
            window = (self.step + 1, self._n_steps)
            modulation = {k: np.asarray(v)[animal] for k, v in (stimulus.modulation or {}).items()}
            self.w[name, animal][:] = rule.step(step, spiked[animal], modulation, window)

    def _learn(self, step: int, key, rule, animal: int, spiked) -> None:
        """The trace is kept as the step of the source's last spike would have it, one value a synapse."""
        trace, w = self.trace[key], self.w[key]
        trace *= np.exp(-(step - self.last.get(key, step)) * self.dt_ms / rule.tau_eligibility_ms)
        self.last[key] = step
        trace[self.reaching[self.source[key]]] = 1.0
        modulator = self.network.neurons(rule.modulator)
        first = animal * self.network.n_neurons
        for _ in range(int(self.reaching[first + modulator.start : first + modulator.stop].sum())):
            w[:] = np.maximum(w - rule.learning_rate * trace, 0)
        own = spiked[self.target[key]]
        w[own] += (self.w0[key][own] - w[own]) * rule.homeostasis

    # -- the rest of the contract ---------------------------------------------------------------------

    @property
    def last(self) -> dict:
        return self.__dict__.setdefault("_last", {})

    def _weights(self, projection: str) -> NDArray[np.float64]:
        return np.array([self.w[projection, animal] for animal in range(self.animals)])

    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        for animal in range(self.animals):
            self.w[projection, animal][:] = weights[animal]
            if (projection, animal) in self.rules:
                self.rules[projection, animal].w[:] = weights[animal]

    def _silence(self, level) -> None:
        """`_level` is looked up at each spike."""

    def _suppressed_spikes(self):
        return self.suppressed.reshape(self.animals, -1).copy()

    def watch(self, neurons) -> None:
        self.watched = np.asarray(neurons)

    def voltages(self) -> NDArray[np.float64]:
        return np.array(self.recorded)

    ARRAYS = ("V", "syn_ex", "syn_in", "g_sfa", "refractory", "I_now", "I_next", "ring_ex", "ring_in")

    def _state(self) -> State:
        state = {name: np.array(getattr(self, name)) for name in (*self.ARRAYS, "suppressed")}
        if self.kind == "stochastic":
            state["rng"] = generator_state(self.rng)
        for (name, animal), w in self.w.items():
            state[f"{name}/{animal}/w"] = w.copy()
            state[f"{name}/{animal}/trace"] = self.trace[name, animal].copy()
            state[f"{name}/{animal}/last"] = np.array(self.last.get((name, animal), -1))
        for (name, animal), rule in self.rules.items():
            for key in rule.ARRAYS:
                state[f"{name}/{animal}/rule/{key}"] = np.array(getattr(rule, key))
        return state

    def _set_state(self, state, step, level) -> None:
        for name in (*self.ARRAYS, "suppressed"):
            setattr(self, name, np.array(state[name]))
        if "rng" in state:
            set_generator_state(self.rng, state["rng"])
        for key in self.w:
            name, animal = key
            self.w[key][:] = state[f"{name}/{animal}/w"]
            self.trace[key][:] = state[f"{name}/{animal}/trace"]
            if state[f"{name}/{animal}/last"] >= 0:
                self.last[key] = int(state[f"{name}/{animal}/last"])
        for (name, animal), rule in self.rules.items():
            for key in rule.ARRAYS:
                getattr(rule, key)[...] = state[f"{name}/{animal}/rule/{key}"]

    def _close(self) -> None:
        self.ring_ex = self.ring_in = np.empty((0, 0))


def open_reference(network, *, seed, animals=1, dt_ms=0.1, cls=ReferenceSimulator, **settings):
    return cls(network, SimulatorSettings(**settings), seed=seed, animals=animals, dt_ms=dt_ms)
