"""The Numba simulator: a facade that gives each network to the engine that runs it fastest.

Three engines of compiled code stand behind the contract of `Simulator`: `lists/` for many small networks,
`bits/` for large networks with dense random wiring and few different weights, `rows/` (compressed rows) for
any other large network. `choice.py` chooses and says why.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import DopamineGated, Network
from ethospike.brains.numba.choice import choose, engine_class
from ethospike.brains.numba.engine import Engine
from ethospike.brains.numba.input_checks import spikes_fit, trains_fit
from ethospike.brains.simulator import Capabilities, Simulator, SpikeBlock, Stimulus
from ethospike.brains.simulator.contract import CUT
from ethospike.brains.threads import cores
from ethospike.errors import SimulatorUnavailable
from ethospike.states import State

_INT64, _INT32 = np.dtype(np.int64), np.dtype(np.int32)


def choose_engine(network: Network) -> type[Engine]:
    """Return the engine that runs a network."""
    return engine_class(choose(network).engine)


class NumbaSimulator(Simulator):
    """Networks on the processor's cores, without a compiler, a GPU or NEST; see `Simulator`.

    Animals are shared among threads; results do not depend on their number.

    Examples
    --------
    >>> from ethospike.brains.network import Network
    >>> from ethospike.brains.network import Population
    >>> from ethospike.brains.simulator import SimulatorSettings, open_simulator
    >>> net = Network([Population("E", 1, "iaf_psc_exp", {"I_e": 500.0})])
    >>> with open_simulator(net, SimulatorSettings("numba"), seed=1) as simulator:
    ...     spikes = simulator.run(1000)
    """

    name = "numba"
    capabilities: ClassVar[Capabilities] = Capabilities(
        restores_state=True,
        records_voltage=True,
        exact_plasticity=True,
        frees_interpreter=True,
        generates_synapses=True,
    )

    def _build(self) -> None:
        self._engine: Engine = choose_engine(self.network)(
            self.network,
            draw=self._drawn.draw,
            seed=self.seed,
            animals=self.animals,
            dt_ms=self.dt_ms,
            precision=self.settings.precision,
            threads=self.settings.threads or cores(),
        )
        self.backend = self._engine.backend

    def _run(self, n_steps: int, stimulus: Stimulus) -> SpikeBlock:
        return self._engine.run(self.step + 1, n_steps, stimulus)

    def _spikes_fit(self, n_steps: int, stimulus: Stimulus) -> bool:
        first, animals, channels = self.step + 1, self.animals, self.network.n_spike_channels
        window = first, first + n_steps - 1, channels
        if stimulus.trains is not None:
            return len(stimulus.trains.last) == animals and trains_fit(window, stimulus.trains)
        step, animal, channel = stimulus.step, stimulus.animal, stimulus.channel
        for column, dtype in ((step, _INT64), (animal, _INT32), (channel, _INT32)):
            if column.dtype is not dtype or column.ndim != 1 or not column.flags.carray:
                return False
        return len(step) == len(animal) == len(channel) and spikes_fit(window, animals, step, animal, channel)

    def _weights(self, projection: str) -> NDArray[np.float64]:
        return self._engine.weights(projection)

    def _set_weights(self, projection: str, weights: NDArray[np.float64]) -> None:
        self._engine.set_weights(projection, weights)

    def _modulator_values(self, projection: str) -> NDArray[np.float64]:
        from ethospike.brains.numba.lists.engine import ListsEngine  # loaded, if the network has such rules

        if not isinstance(self._engine, ListsEngine):
            return super()._modulator_values(projection)
        return self._engine.modulator_values(projection)

    def _silence(self, level: NDArray[np.int8]) -> None:
        for projection in self.network.plastic_projections:
            rule = projection.plasticity
            if rule is None or isinstance(rule, DopamineGated):
                continue
            for population in filter(None, (projection.source, rule.modulator_population)):
                if (level[:, self.network.neurons(population)] == CUT).any():
                    raise SimulatorUnavailable(
                        f"Numba cannot cut the outputs of neurons of {population!r} alone, because "
                        f"{projection.name!r} learns by {rule.name}; silence them"
                    )
        self._engine.silence(level)

    def _suppressed_spikes(self) -> NDArray[np.int64]:
        return self._engine.suppressed_spikes()

    def _watch(self, neurons: NDArray[np.integer], recordable: str) -> None:
        self._check_is_voltage(recordable)
        self._engine.watch(neurons)

    def _voltages(self) -> NDArray[np.float64]:
        return self._engine.voltages()

    def _state(self) -> State:
        return self._engine.state()

    def _set_state(self, state: State, step: int, level: NDArray[np.int8]) -> None:
        self._engine.set_state(state)
        self._engine.silence(level)

    def _close(self) -> None:
        self._engine.close()
