"""Simulators with one defect each: what every check of the conformance suite must find.

`DEFECTS` lists (check, broken simulator). Each defect is one that a simulator under development has had, or
nearly had.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from reference_simulator import ReferenceSimulator

from ethospike.brains.conformance import cells, models, plasticity, runs, silence, states, wiring
from ethospike.brains.simulator import SpikeBlock, Stimulus
from ethospike.brains.simulator.contract import CUT, FREE, SILENT


class Silent(ReferenceSimulator):
    """Nothing ever fires."""

    def _advance(self, step, given):
        super()._advance(step, given)
        return np.empty(0, np.int64)


# -- runs ---------------------------------------------------------------------------------------------


class Unsorted(ReferenceSimulator):
    def _run(self, n_steps, stimulus):
        block = super()._run(n_steps, stimulus)
        return SpikeBlock(block.step[::-1], block.animal[::-1], block.neuron[::-1])


class StepsCountedFromZero(ReferenceSimulator):
    def _run(self, n_steps, stimulus):
        block = super()._run(n_steps, stimulus)
        return replace(block, step=block.step - self.step)


class Unseeded(ReferenceSimulator):
    def _build(self):
        super()._build()
        self.V += np.random.default_rng().uniform(0, 1, self.n)


class SeedIgnored(ReferenceSimulator):
    def __init__(self, *arguments, seed, **given):
        super().__init__(*arguments, seed=1, **given)


class SpikesUnderWayLost(ReferenceSimulator):
    def _run(self, n_steps, stimulus):
        self.ring_ex[:] = self.ring_in[:] = 0
        return super()._run(n_steps, stimulus)


class RefractoryReset(ReferenceSimulator):
    def _run(self, n_steps, stimulus):
        self.refractory[:] = 0
        return super()._run(n_steps, stimulus)


class OneAnimalForAll(ReferenceSimulator):
    def parameter(self, population, key, animal):
        return super().parameter(population, key, 0)

    def synapses(self, projection, animal):
        return super().synapses(projection, 0)


class WiringDependsOnGroup(ReferenceSimulator):
    def synapses(self, projection, animal):
        return self.network.wire(projection, self.seed + self.animals, animal)


class Crosstalk(ReferenceSimulator):
    def _send_input(self, step, animal, channel):
        for everyone in range(self.animals):
            super()._send_input(step, everyone, channel)


class StateWithoutRefractoriness(ReferenceSimulator):
    ARRAYS = tuple(name for name in ReferenceSimulator.ARRAYS if name != "refractory")


class StateWithoutSpikesUnderWay(ReferenceSimulator):
    ARRAYS = tuple(name for name in ReferenceSimulator.ARRAYS if not name.startswith("ring"))


class StateWithoutSilence(ReferenceSimulator):
    def _set_state(self, state, step, level):
        super()._set_state(state, step, level)
        level[:] = FREE


class StateWithoutGenerator(ReferenceSimulator):
    def _set_state(self, state, step, level):
        super()._set_state({name: array for name, array in state.items() if name != "rng"}, step, level)


class StateWithoutTraces(ReferenceSimulator):
    """The traces of rules stay those of the simulator that is to go on."""

    def _set_state(self, state, step, level):
        fresh = super()._state()
        kept = {key: fresh[key] for key in state if "/rule/" in key and not key.endswith("/w")}
        super()._set_state({**state, **kept}, step, level)


class StateWithoutModulators(ReferenceSimulator):
    def _set_state(self, state, step, level):
        fresh = super()._state()
        super()._set_state({**state, **{k: fresh[k] for k in state if k.endswith("/numbers")}}, step, level)


class AskingForAStateMoves(ReferenceSimulator):
    def _state(self):
        self.V += 0.1
        return super()._state()


class StateIsNoCopy(ReferenceSimulator):
    def state(self):
        return super().state() | {"ring_ex": self.ring_ex}


class SinglePrecisionClock(ReferenceSimulator):
    """As float32 counts beyond 2^24, but from step 4096 on."""

    def _run(self, n_steps, stimulus):
        block = super()._run(n_steps, stimulus)
        return replace(block, step=np.where(block.step > 4096, block.step // 2 * 2, block.step))


class SpikesKept(ReferenceSimulator):
    def _run(self, n_steps, stimulus):
        self.__dict__.setdefault("kept", []).append(np.ones(2_000))
        return super()._run(n_steps, stimulus)


class InputUnchecked(ReferenceSimulator):
    def _check_stimulus(self, n_steps, stimulus):
        pass


class DelaysRounded(ReferenceSimulator):
    def delay_steps(self, name, delay_ms):
        return max(1, round(delay_ms / self.dt_ms))


class UsableAfterClose(ReferenceSimulator):
    def _check_open(self):
        pass

    def _close(self):
        pass


# -- cells --------------------------------------------------------------------------------------------


class Euler(ReferenceSimulator):
    def _psc(self):
        p = self.p
        current = p["I_e"] + self.I_now + self.syn_ex + self.syn_in
        return self.V + self.dt_ms * ((p["E_L"] - self.V) / p["tau_m"] + current / p["C_m"])


class FirstCellForAll(ReferenceSimulator):
    def _build(self):
        super()._build()
        for key in ("C_m", "V_th", "E_L", "I_e"):
            self.p[key][:] = self.p[key][0]


class FirstTimeConstantForAll(ReferenceSimulator):
    def _build(self):
        super()._build()
        self.p["tau_syn_ex"][:] = self.p["tau_syn_ex"][0]


class InitialVoltageIgnored(ReferenceSimulator):
    def _build(self):
        super()._build()
        self.V = self.p["E_L"].copy()


class RefractoryOneStepLonger(ReferenceSimulator):
    def _build(self):
        super()._build()
        self.n_refractory += 1


class NoAdaptation(ReferenceSimulator):
    def _reset(self, fired):
        super()._reset(fired)
        self.g_sfa[:] = 0


class VoltageOfTheStepBefore(ReferenceSimulator):
    def _advance(self, step, given):
        before = self.V
        fired = super()._advance(step, given)
        self.V, self.now = before, self.V  # what the recorder sees
        return fired

    def _run(self, n_steps, stimulus):
        blocks, recorded = [], []
        for _ in range(n_steps):
            seen = self.V.copy()
            blocks.append(ReferenceSimulator._run(self, 1, Stimulus.none()))
            self.V = self.now
            recorded.append(seen.reshape(self.animals, -1)[:, self.watched])
            self.step += 1
        self.step -= n_steps
        self.recorded = recorded
        return blocks[-1]


class VoltagesInNeuronOrder(ReferenceSimulator):
    def watch(self, neurons):
        super().watch(np.sort(neurons))


# -- inputs and synapses ------------------------------------------------------------------------------


class InputOneStepEarly(ReferenceSimulator):
    def _wire(self):
        super()._wire()
        self.channels = [(neurons, weight, max(delay - 1, 0)) for neurons, weight, delay in self.channels]


class EqualSpikesMerged(ReferenceSimulator):
    def _deliver(self, step, neurons, weight):
        slot = step % self.max_delay
        self.ring_ex[slot, neurons] = np.maximum(weight, 0)
        self.ring_in[slot, neurons] = np.minimum(weight, 0)


class CurrentAtOnce(ReferenceSimulator):
    def _advance(self, step, given):
        self.I_now = given
        return super()._advance(step, given)


class CurrentNeverEnds(ReferenceSimulator):
    def _run(self, n_steps, stimulus):
        if stimulus.current_pa is not None:
            self.latest = stimulus.current_pa
        held = getattr(self, "latest", None)
        return super()._run(n_steps, replace(stimulus, current_pa=held))


class StimulusOfTheWindowBefore(ReferenceSimulator):
    def _run(self, n_steps, stimulus):
        late = getattr(self, "late", Stimulus.none())
        self.late = replace(stimulus, step=stimulus.step + n_steps)
        return super()._run(n_steps, late)


class ChannelsIgnored(ReferenceSimulator):
    def _send_input(self, step, animal, channel):
        for other in range(channel - channel % 3, channel - channel % 3 + 3):
            super()._send_input(step, animal, other)


class OneDelayForAll(ReferenceSimulator):
    def _wire(self):
        super()._wire()
        self.delay = {key: np.ones_like(delay) for key, delay in self.delay.items()}


class TargetsShifted(ReferenceSimulator):
    def synapses(self, projection, animal):
        wired = super().synapses(projection, animal)
        size = self.network.population(self.network.projection(projection).target).size
        return wired._replace(target=(wired.target + 1) % size)


class WeightsOfOtherPairs(ReferenceSimulator):
    """Pairs are sorted, the weights listed with them are not."""

    def synapses(self, projection, animal):
        wired = super().synapses(projection, animal)
        described = np.asarray(self.network.projection(projection).weight)
        return wired._replace(weight=described) if described.ndim else wired


class InhibitionExcites(ReferenceSimulator):
    def _deliver(self, step, neurons, weight):
        super()._deliver(step, neurons, np.abs(weight))


class InhibitionIgnored(ReferenceSimulator):
    def _deliver(self, step, neurons, weight):
        super()._deliver(step, neurons, np.maximum(weight, 0))


class WeightsNeverSet(ReferenceSimulator):
    def _set_weights(self, projection, weights):
        self.seen = weights

    def _weights(self, projection):
        return self.seen.copy() if hasattr(self, "seen") else super()._weights(projection)


class WeightsInReverse(ReferenceSimulator):
    def _set_weights(self, projection, weights):
        super()._set_weights(projection, weights[:, ::-1])

    def _weights(self, projection):
        return super()._weights(projection)[:, ::-1]


class WeightsAreNoCopy(ReferenceSimulator):
    def _weights(self, projection):
        return self.w[projection, 0][None]


# -- models ------------------------------------------------------------------------------------------


class JumpsOneStepLate(ReferenceSimulator):
    """A spike moves the potential in the step after its arrival, as a synaptic current would."""

    def _deliver(self, step, neurons, weight):
        super()._deliver(step + (self.kind == "delta"), neurons, weight)


class FirstCurrentForAll(ReferenceSimulator):
    def _build(self):
        super()._build()
        self.p["I_e"][:] = self.p["I_e"][0]


class NoDeadTime(ReferenceSimulator):
    def _build(self):
        super()._build()
        if self.kind == "stochastic":
            self.n_refractory[:] = 0


class OneDieForAll(ReferenceSimulator):
    def _crosses(self):
        if self.kind != "stochastic":
            return super()._crosses()
        return np.full(self.n, self.rng.random() < -np.expm1(-self.p["c_2"][0] * self.dt_ms * 1e-3))


class AnythingLeaks(ReferenceSimulator):
    """Models that it lacks become leaky ones."""

    def _build(self):
        known = [
            pop if isinstance(pop.model, str) else replace(pop, model="iaf_psc_exp", params={})
            for pop in self.network.populations
        ]
        self.network = replace(self.network, populations=known)
        super()._build()


# -- plasticity ---------------------------------------------------------------------------------------


class NoFloor(ReferenceSimulator):
    def _learn(self, step, key, rule, animal, spiked):
        before = self.w[key].copy()
        super()._learn(step, key, rule, animal, spiked)
        modulator = self.network.neurons(rule.modulator)
        first = animal * self.network.n_neurons
        if spiked[first + modulator.start] and not spiked[self.target[key]].any():
            self.w[key][:] = before - rule.learning_rate * self.trace[key]


class EligibilityAddsUp(ReferenceSimulator):
    def _learn(self, step, key, rule, animal, spiked):
        before = self.trace[key].copy()
        super()._learn(step, key, rule, animal, spiked)
        self.trace[key] += before * spiked[self.source[key]]


class NoHomeostasis(ReferenceSimulator):
    def _learn(self, step, key, rule, animal, spiked):
        super()._learn(step, key, replace(rule, homeostasis=0.0), animal, spiked)


class SentBeforeLearned(ReferenceSimulator):
    def _learn_and_send(self, step, fired):
        before = {key: w.copy() for key, w in self.w.items()}
        spiked = np.zeros(self.n, dtype=bool)
        spiked[fired] = True
        super()._learn_and_send(step, fired)
        for key, w in before.items():  # what was sent with the new weight is corrected to the old one
            own = spiked[self.source[key]]
            if own.any():
                sent = (w - self.w[key])[own]
                super()._deliver(step + self.delay[key][own], self.target[key][own], sent)


class LearnedWeightsNotUsed(ReferenceSimulator):
    def _deliver(self, step, neurons, weight):
        changed = np.ndim(weight) and self.network.plastic_projections
        super()._deliver(step, neurons, np.full(np.shape(weight), 100.0) if changed else weight)


class RecoversToWhatWasSet(ReferenceSimulator):
    def _set_weights(self, projection, weights):
        super()._set_weights(projection, weights)
        for animal in range(self.animals):
            self.w0[projection, animal][:] = weights[animal]


class DelayForgottenByRules(ReferenceSimulator):
    """Target spikes are at the synapse at once."""

    def _build(self):
        super()._build()
        for rule in self.rules.values():
            if hasattr(rule, "delay"):
                rule.delay[:] = 1


class EligibilityOfTheSameStep(ReferenceSimulator):
    """Weights change with the eligibility after the spikes of the step."""

    def _apply_rules(self, step, fired, stimulus):
        before = {key: rule.w.copy() for key, rule in self.rules.items()}
        super()._apply_rules(step, fired, stimulus)
        for key, rule in self.rules.items():
            if hasattr(rule, "z"):
                self.w[key][:] = rule.w = before[key] + (rule.w - before[key]) * np.exp(-0.1 / 20.0)


class TruncationIsTermination(ReferenceSimulator):
    """The value is 0 at the end of every window."""

    def _apply_rules(self, step, fired, stimulus):
        given = dict(stimulus.modulation or {})
        if "terminal" in given:
            given["terminal"] = np.ones_like(given["terminal"])
        super()._apply_rules(step, fired, replace(stimulus, modulation=given))


class LearnedOneStepLate(ReferenceSimulator):
    """Spikes are sent before the rules of their step."""

    def _apply_rules(self, step, fired, stimulus):
        waiting = self.__dict__.setdefault("waiting", {})
        super()._apply_rules(step, fired, stimulus)
        for key, w in self.w.items():
            if key in self.rules:
                now = w.copy()
                w[:] = waiting.get(key, now)
                waiting[key] = now

    def _weights(self, projection):
        for key, rule in self.rules.items():
            self.w[key][:] = rule.w
        return super()._weights(projection)


class ModulationUnchecked(ReferenceSimulator):
    def _check_modulation(self, name, values, n_steps):
        pass


# -- wiring -------------------------------------------------------------------------------------------


class DelaysOfOtherPairs(ReferenceSimulator):
    """Pairs are sorted, the delays listed with them are not."""

    def synapses(self, projection, animal):
        wired = super().synapses(projection, animal)
        described = np.asarray(self.network.projection(projection).delay_ms)
        return wired._replace(delay_ms=described) if described.ndim else wired


class DrawnDelaysCut(ReferenceSimulator):
    """Drawn delays are cut to whole steps rather than rounded."""

    def synapses(self, projection, animal):
        wired = super().synapses(projection, animal)
        return wired._replace(delay_ms=np.floor(wired.delay_ms / self.dt_ms + 1e-9) * self.dt_ms)


class DrawnWeightsAreMeans(ReferenceSimulator):
    def synapses(self, projection, animal):
        wired = super().synapses(projection, animal)
        return wired._replace(weight=np.full(len(wired.weight), wired.weight.mean()))


class OneProjectionAPair(ReferenceSimulator):
    """The last projection between two populations replaces those before."""

    def synapses(self, projection, animal):
        wired, described = super().synapses(projection, animal), self.network.projection(projection)
        last = [
            p
            for p in self.network.projections
            if (p.source, p.target) == (described.source, described.target)
        ][-1]
        return wired if last is described else wired._replace(weight=np.zeros(len(wired.weight)))


class RepeatedPairsMerged(ReferenceSimulator):
    def synapses(self, projection, animal):
        wired = super().synapses(projection, animal)
        _, first = np.unique(wired.source.astype(np.int64) * 2**32 + wired.target, return_index=True)
        return type(wired)(*(column[first] for column in wired))


class LargeNetworksDrawnAnew(ReferenceSimulator):
    def synapses(self, projection, animal):
        seed = self.seed + (self.network.n_synapses > 2e6)
        return self.network.wire(projection, seed, animal)


class SilenceIsCut(ReferenceSimulator):
    def _silence(self, level):
        level[level == SILENT] = CUT


class CutIgnored(ReferenceSimulator):
    def _silence(self, level):
        level[level == CUT] = FREE


class SilenceInAllAnimals(ReferenceSimulator):
    def _silence(self, level):
        level[:] = level.max(axis=0)


class SilencesAnything(ReferenceSimulator):
    def _mask(self, what, neurons):
        if np.asarray(neurons).dtype == np.bool_ and np.shape(neurons) == self._level.shape:
            return neurons
        return np.zeros(self._level.shape, dtype=bool)


class SilentModulatorsTeach(ReferenceSimulator):
    def _learn(self, step, key, rule, animal, spiked):
        self.reaching = spiked
        super()._learn(step, key, rule, animal, spiked)


DEFECTS = [
    (silence.check_silence, SilenceIsCut),
    (silence.check_silence, CutIgnored),
    (silence.check_silence, SilenceInAllAnimals),
    (silence.check_silence_and_plasticity, SilentModulatorsTeach),
    (silence.check_bad_silence_is_refused, SilencesAnything),
    (wiring.check_listed_delays, DelaysOfOtherPairs),
    (wiring.check_listed_delays, OneDelayForAll),
    (wiring.check_drawn_weights_and_delays, DrawnDelaysCut),
    (wiring.check_drawn_weights_and_delays, DrawnWeightsAreMeans),
    (wiring.check_several_projections, OneProjectionAPair),
    (wiring.check_several_projections, RepeatedPairsMerged),
    (wiring.check_many_synapses, LargeNetworksDrawnAnew),
    (runs.check_spike_block, Unsorted),
    (runs.check_spike_block, StepsCountedFromZero),
    (runs.check_same_seed_same_spikes, Unseeded),
    (runs.check_same_seed_same_spikes, SeedIgnored),
    (runs.check_split_run, SpikesUnderWayLost),
    (runs.check_split_run, RefractoryReset),
    (runs.check_animals_are_independent, OneAnimalForAll),
    (runs.check_animals_are_independent, WiringDependsOnGroup),
    (runs.check_animals_are_independent, Crosstalk),
    (states.check_state, StateWithoutRefractoriness),
    (states.check_state, StateWithoutSpikesUnderWay),
    (states.check_state, StateIsNoCopy),
    (states.check_state, AskingForAStateMoves),
    (states.check_state_of_models, StateWithoutSilence),
    (states.check_state_of_models, StateWithoutGenerator),
    (states.check_state_of_rules, StateWithoutTraces),
    (states.check_state_of_rules, StateWithoutModulators),
    (runs.check_long_clock, SinglePrecisionClock),
    (runs.check_memory, SpikesKept),
    (runs.check_bad_input_is_refused, InputUnchecked),
    (runs.check_delay_off_the_grid_is_refused, DelaysRounded),
    (runs.check_close, UsableAfterClose),
    (cells.check_first_spike_latency, Euler),
    (cells.check_first_spike_latency, FirstCellForAll),
    (cells.check_first_spike_latency, InitialVoltageIgnored),
    (cells.check_first_spike_latency, RefractoryOneStepLonger),
    (cells.check_synaptic_time_constants, FirstTimeConstantForAll),
    (cells.check_adaptation, NoAdaptation),
    (cells.check_voltages, VoltageOfTheStepBefore),
    (cells.check_voltages, VoltagesInNeuronOrder),
    (cells.check_stimulus_timing, InputOneStepEarly),
    (cells.check_stimulus_adds_up, EqualSpikesMerged),
    (cells.check_current_timing, CurrentAtOnce),
    (cells.check_current_timing, CurrentNeverEnds),
    (cells.check_live_input, StimulusOfTheWindowBefore),
    (cells.check_live_input, ChannelsIgnored),
    (cells.check_delays, OneDelayForAll),
    (cells.check_wiring, TargetsShifted),
    (cells.check_listed_weights, WeightsOfOtherPairs),
    (cells.check_signs, InhibitionExcites),
    (cells.check_signs, InhibitionIgnored),
    (cells.check_weights, WeightsNeverSet),
    (cells.check_weights, WeightsInReverse),
    (cells.check_weights, WeightsAreNoCopy),
    (models.check_model_timing, JumpsOneStepLate),
    (models.check_own_parameters, FirstCurrentForAll),
    (models.check_stochastic_spikes, NoDeadTime),
    (models.check_stochastic_spikes, OneDieForAll),
    (models.check_unknown_model_is_refused, AnythingLeaks),
    (cells.check_plasticity, NoFloor),
    (cells.check_plasticity, EligibilityAddsUp),
    (cells.check_plasticity, NoHomeostasis),
    (cells.check_plasticity_acts, SentBeforeLearned),
    (cells.check_plasticity_acts, LearnedWeightsNotUsed),
    (cells.check_recovery, RecoversToWhatWasSet),
    (plasticity.check_rules, DelayForgottenByRules),
    (plasticity.check_rules, EligibilityOfTheSameStep),
    (plasticity.check_rules, TruncationIsTermination),
    (plasticity.check_learned_weights_act, LearnedOneStepLate),
    (plasticity.check_bad_modulation_is_refused, ModulationUnchecked),
]
