"""Plasticity rules that NEST computes by synapse models of its own, and weights between source spikes.

NEST's STDP synapses are brought up to date at spikes of their source; what target spikes have added since is
computed here when weights are asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import (
    DopamineSTDP,
    NestSynapse,
    Network,
    PairSTDP,
    Projection,
    steps_of_delay,
)
from ethospike.brains.network.plasticity import NEVER
from ethospike.brains.network.plasticity.reference import positions
from ethospike.brains.simulator.synapses import Draw
from ethospike.errors import BrainError, nearest

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

FORGOTTEN_TAUS = 45.0
"""Time constants of tau_plus after which a target spike facilitates no more: e^-45 is 3e-20."""
FOLD_AFTER = 64
"""Windows after which remembered spikes are summed up: often enough for memory, seldom enough for speed."""


def is_native(projection: Projection) -> bool:
    """Return whether NEST computes the rule of a projection."""
    return isinstance(projection.plasticity, (PairSTDP, DopamineSTDP, NestSynapse))


def needs_shortest_delay(network: Network) -> bool:
    """Return whether NEST must exchange spikes in every step.

    Within the shortest delay of all connections NEST sends spikes late, with weights as of the end of it.
    """
    rules = [projection.plasticity for projection in network.plastic_projections]
    return any(
        isinstance(rule, DopamineSTDP) or (rule is not None and rule.grid_ms is not None) for rule in rules
    )


def target_parameters(network: Network) -> dict[str, dict[str, float]]:
    """Return by population the parameters of neurons that synapse models of NEST read.

    Raises
    ------
    BrainError
        When two projections onto one population want different values.
    """
    wanted: dict[str, dict[str, float]] = {}
    for projection in network.plastic_projections:
        match projection.plasticity:
            case PairSTDP(tau_minus=tau) | DopamineSTDP(tau_minus=tau):
                given = {"tau_minus": tau}
            case NestSynapse(target_params=params):
                given = dict(params)
            case _:
                continue
        known = wanted.setdefault(projection.target, {})
        for key, value in given.items():
            if known.setdefault(key, value) != value:
                raise BrainError(
                    f"Projection {projection.name!r}: on NEST {key} belongs to the target's neurons, and "
                    f"another projection onto {projection.target!r} has {key} = {known[key]} instead of "
                    f"{value}; use one value, or Numba"
                )
    return wanted


def copy_models(nest: Any, network: Network, projection: Projection, animals: int, dt_ms: float) -> list[str]:
    """Make the synapse model of a projection for each animal, and return their names.

    Raises
    ------
    BrainError
        When NEST has no such model or parameter, or refuses a value.
    """
    rule, name = projection.plasticity, projection.name
    match rule:
        case PairSTDP():
            params = {key: getattr(rule, key) for key in ("tau_plus", "alpha", "mu_plus", "mu_minus", "Wmax")}
            params |= {"lambda": rule.lambda_, "weight": 0.5 * rule.Wmax}
            nest.CopyModel("stdp_synapse", name, params)
        case DopamineSTDP():
            return [_dopamine_model(nest, network, projection, rule, a, dt_ms) for a in range(animals)]
        case NestSynapse():
            _copy_any(nest, f"Projection {name!r}", name, rule)
        case _:
            nest.CopyModel("static_synapse", name)
    return [name] * animals


def _dopamine_model(
    nest: Any, network: Network, projection: Projection, rule: DopamineSTDP, animal: int, dt_ms: float
) -> str:
    """Make the synapse model of one animal, which hears the dopaminergic neurons of this animal alone."""
    transmitter, name = nest.Create("volume_transmitter"), f"{projection.name} of animal {animal}"
    heard = network.neurons(rule.modulator.population)
    first = 1 + animal * network.n_neurons
    cells = nest.NodeCollection(np.arange(first + heard.start, first + heard.stop))
    nest.Connect(cells, transmitter, syn_spec={"delay": dt_ms})
    keys = ("tau_plus", "tau_c", "A_plus", "A_minus", "Wmin", "Wmax")
    params = {key: getattr(rule, key) for key in keys}
    params |= {"tau_n": rule.modulator.tau_n, "b": rule.modulator.b, "volume_transmitter": transmitter}
    nest.CopyModel("stdp_dopamine_synapse", name, params)
    return name


def _copy_any(nest: Any, where: str, name: str, rule: NestSynapse) -> None:
    if rule.model not in nest.synapse_models:
        raise BrainError(
            f"{where}.plasticity: NEST has no synapse model {rule.model!r}; "
            f"{nearest(rule.model, nest.synapse_models)}"
        )
    defaults = nest.GetDefaults(rule.model)
    for key in rule.params:
        if key not in defaults:
            raise BrainError(f"{where}.plasticity: {rule.model} has no {key!r}; {nearest(key, defaults)}")
    try:
        nest.CopyModel(rule.model, name, dict(rule.params))
    except nest.NESTError as error:
        text = " ".join(str(error).split())
        raise BrainError(
            f"{where}.plasticity: NEST refuses the parameters of {rule.model}: {text}"
        ) from error


class PendingEvents:
    """Events that NEST's `stdp_synapse` has not applied yet, of one projection in all animals.

    NEST applies target spikes with the next spike of the source, and these when it delivers them: at the
    beginning of the next interval of the shortest delay.

    Parameters
    ----------
    network : Network
    projection : Projection
        With the rule `PairSTDP`.
    draw : callable
        Gives the synapses of a projection in an animal.
    animals : int
    dt_ms : float
    shortest_steps : int
        The shortest delay of all connections.
    """

    def __init__(
        self,
        network: Network,
        projection: Projection,
        draw: Draw,
        animals: int,
        dt_ms: float,
        shortest_steps: int,
    ) -> None:
        if not isinstance(projection.plasticity, PairSTDP):
            raise TypeError(f"{projection.name!r} is not of PairSTDP")
        self._rule, self._dt, self._shortest = projection.plasticity, dt_ms, shortest_steps
        self._n_neurons = network.n_neurons
        self._neurons = network.neurons(projection.source), network.neurons(projection.target)
        self._wired = [draw(projection.name, animal) for animal in range(animals)]
        self._delay = [steps_of_delay(wired.delay_ms, dt_ms) for wired in self._wired]
        self._of_target = [positions(wired.target) for wired in self._wired]
        self._of_source = [positions(wired.source) for wired in self._wired]
        shape = animals, self._neurons[0].stop - self._neurons[0].start
        self._plus, self._plus_step = np.zeros(shape), np.full(shape, NEVER, np.int64)
        self._heard: list[tuple[_Ints, _Ints]] = []
        self._sources: list[list[tuple[int, int]]] = [[] for _ in range(animals)]
        self._targets: list[list[tuple[int, int]]] = [[] for _ in range(animals)]
        longest = max([int(delay.max(initial=1)) for delay in self._delay], default=1)
        slowest = max(self._rule.tau_plus, self._rule.tau_minus)
        self._kept_steps = FORGOTTEN_TAUS * slowest / dt_ms + longest

    def listen(self, step: _Ints, cell: _Ints, until: int) -> None:
        """Take the spikes up to a step; `cell` counts neurons through all animals."""
        if len(step):
            self._heard.append((step, cell))
        if len(self._heard) > FOLD_AFTER:
            self._fold(until)

    def _fold(self, until: int) -> None:
        """Apply the source spikes that NEST has delivered to their traces, and forget old target spikes."""
        source, target = self._neurons
        if self._heard:
            step, cell = map(np.concatenate, zip(*self._heard, strict=True))
            self._heard, order = [], np.argsort(step, kind="stable")
            animal, neuron = np.divmod(cell[order], self._n_neurons)
            for when, a, n in zip(step[order].tolist(), animal.tolist(), neuron.tolist(), strict=True):
                if source.start <= n < source.stop:
                    self._sources[a].append((when, n - source.start))
                if target.start <= n < target.stop:
                    self._targets[a].append((when, n - target.start))
        delivered = (until - 1) // self._shortest * self._shortest
        for a, heard in enumerate(self._sources):
            for when, n in heard:
                if when <= delivered:
                    elapsed = (self._plus_step[a, n] - when) * self._dt
                    self._plus[a, n] = self._plus[a, n] * np.exp(elapsed / self._rule.tau_plus) + 1.0
                    self._plus_step[a, n] = when
            self._sources[a] = [(when, n) for when, n in heard if when > delivered]
            recent = until - self._kept_steps
            self._targets[a] = [(when, n) for when, n in self._targets[a] if when > recent]

    def weights(self, weight: _Floats, step: int) -> _Floats:
        """Return weights as of the end of a step, from those that NEST has."""
        self._fold(step)
        return np.stack(
            [self._up_to_date(animal, of_animal.copy(), step) for animal, of_animal in enumerate(weight)]
        )

    def _up_to_date(self, animal: int, weight: _Floats, step: int) -> _Floats:
        rule, source = self._rule, self._wired[animal].source
        plus, last = self._plus[animal].copy(), self._plus_step[animal].copy()
        arrivals = self._arrivals(animal)
        due = arrivals[(arrivals[:, 0] > last[source[arrivals[:, 1]]]) & (arrivals[:, 0] <= step)]
        undelivered = self._sources[animal]
        for now in np.unique([*due[:, 0], *(when for when, _ in undelivered)]).tolist():
            synapses = due[due[:, 0] == now, 1]
            k_plus = plus[source[synapses]] * np.exp(
                (last[source[synapses]] - now) * self._dt / rule.tau_plus
            )
            weight[synapses] = rule.facilitated(weight[synapses], k_plus)
            for neuron in (n for when, n in undelivered if when == now):
                synapses = self._of_source[animal].get(neuron, np.empty(0, np.int64))
                weight[synapses] = rule.depressed(weight[synapses], self._k_minus(arrivals, synapses, now))
                plus[neuron] = plus[neuron] * np.exp((last[neuron] - now) * self._dt / rule.tau_plus) + 1.0
                last[neuron] = now
        return weight

    def _arrivals(self, animal: int) -> _Ints:
        """Return (step, synapse) of the arrivals of the target spikes that are remembered."""
        pieces = [np.empty((0, 2), np.int64)]
        for when, neuron in self._targets[animal]:
            synapses = self._of_target[animal].get(neuron, np.empty(0, np.int64))
            pieces.append(np.stack([when + self._delay[animal][synapses], synapses], axis=1))
        return np.concatenate(pieces)

    def _k_minus(self, arrivals: _Ints, synapses: _Ints, now: int) -> _Floats:
        """Return the traces of the target at some synapses, of the arrivals before a step."""
        before = arrivals[(arrivals[:, 0] < now) & np.isin(arrivals[:, 1], synapses)]
        each = np.exp((before[:, 0] - now) * self._dt / self._rule.tau_minus)
        return np.asarray(
            np.bincount(before[:, 1], each, minlength=int(synapses.max(initial=-1)) + 1)[synapses]
        )
