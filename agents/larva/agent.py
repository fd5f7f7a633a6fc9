"""The learning larva: a mushroom body between a nose and a pair of crawling and turning oscillators.

In each control step concentrations become rates of the receptor channels, reinforcement becomes rates of
the DAN channels, the circuit runs (and learns: plasticity is part of it), and the rates of its two output
neurons become a preference. The preference sets the gain with which the relative change of the smell
suppresses or enhances turning; crawling and turning go on by themselves.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.agents.agent import BrainAgent, Decision
from ethospike.agents.larva import memory
from ethospike.agents.larva.body import odor_arena
from ethospike.agents.larva.locomotion import Locomotion, LocomotionConfig
from ethospike.agents.larva.olfaction import DETECTION_FLOOR_UM, DRIVE_VARIABLE, INNATE_GAIN, OlfactoryDrive
from ethospike.brains.circuits.mushroom_body import (
    N_GLOMERULI,
    ODOR_PATTERNS,
    PRESETS,
    MushroomBodyConfig,
    mushroom_body,
)
from ethospike.brains.network import Network
from ethospike.brains.simulator import SimulatorSettings, SpikeBlock, Stimulus, open_simulator
from ethospike.brains.spike_trains.sources import GammaSource
from ethospike.brains.threads import cores
from ethospike.clock import whole_number
from ethospike.configuration import configured
from ethospike.envs.odor_arena import PEAK_UM, WALL_COLUMN, features
from ethospike.envs.odor_arena.reinforcement import KINDS
from ethospike.errors import AgentError, BrainError, nearest
from ethospike.shown import Shown
from ethospike.states import State, join_states, state_of
from ethospike.variables import Panel, named, variable

READ_OUT = ("MBONp", "MBONn", "DANp", "DANn")
"""Populations of which the mean firing rate is read out."""
RATES = Panel("rates (Hz)", key="f")


@dataclass(frozen=True)
class LarvaConfig(Shown):
    """Numbers of the encoding and the decoding around the mushroom body.

    Raises
    ------
    AgentError
        When a number is out of range or a pattern does not exist.

    Examples
    --------
    >>> LarvaConfig(patterns={"A": "odor1", "B": "odor4"}).saturation
    1.4
    """

    patterns: dict[str, str] = field(default_factory=lambda: {"A": "n-amylacetate", "B": "3-octanol"})
    """Receptor pattern of each odor of the arena (`ODOR_PATTERNS`); an odor that is not listed has the
    pattern of its own name. The default pair is that of learning experiments with larvae."""
    reference_um: float = PEAK_UM
    """Concentration at which an odor drives the receptors with its published pattern (µM): the peak of the
    arena's odor cups. Below it the rate above baseline is proportional to concentration. Chosen here: the
    authors' odors have one strength and no space."""
    saturation: float = 1.4
    """Highest drive of one odor in units of its pattern: the authors' stronger odor (Jürgensen et al. 2024,
    authors' code: scale 700 instead of 500). Odors add up, as in the authors' mixture."""
    readout_tau_ms: float = 1000.0
    """Time constant of the filter of output and DAN rates (ms). Chosen here: at 100 Hz some 200 spikes
    count, so that chance moves the preference by a few hundredths; a larva crawls about 1 mm meanwhile,
    little beside the 14 mm width of an odor."""
    min_spikes: float = 5.0
    """Output spikes, both neurons together, that the filter must hold for there to be a preference; below
    it the preference is 0. Chosen here: a larva without odor stays below 5 spikes in 1 s, and a
    difference of 4 to 1 is no evidence."""
    gain: float = INNATE_GAIN
    """Olfactory gain at preference 1. Chosen here: a fully trained larva then navigates like larvaworld's
    innate navigator; the published scaling, 0.001 per Hz of difference, would have no effect on behavior."""
    detection_floor_um: float = DETECTION_FLOOR_UM
    """Summed concentration below which nothing is smelled (µM), see `agents.olfaction`."""
    locomotion: LocomotionConfig = field(default_factory=LocomotionConfig)
    """Crawler, turner and pauses."""

    def __post_init__(self) -> None:
        for pattern in self.patterns.values():
            if pattern not in ODOR_PATTERNS:
                raise AgentError(
                    f"LarvaConfig.patterns: unknown pattern {pattern!r}; {nearest(pattern, ODOR_PATTERNS)}"
                )
        for name in ("reference_um", "saturation", "readout_tau_ms", "detection_floor_um"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise AgentError(f"LarvaConfig.{name}: expected above 0, got {value}")
        if not (math.isfinite(self.min_spikes) and self.min_spikes >= 0):
            raise AgentError(f"LarvaConfig.min_spikes: expected at least 0, got {self.min_spikes}")
        if not math.isfinite(self.gain):
            raise AgentError(f"LarvaConfig.gain: expected a finite number, got {self.gain}")

    def pattern_hz(self, odor: str) -> NDArray[np.float64]:
        """Return the rates (Hz) that an odor of the arena adds to each receptor channel at full strength."""
        name = self.patterns.get(odor, odor)
        if name not in ODOR_PATTERNS:
            raise AgentError(
                f"LarvaConfig.patterns: no receptor pattern for odor {odor!r}; "
                f"{nearest(odor, {*self.patterns, *ODOR_PATTERNS})}"
            )
        return np.array(ODOR_PATTERNS[name])


@functools.cache
def _readout() -> Any:
    """Return the compiled senses and read-out, loaded on demand: an attribute would prevent pickling."""
    from ethospike.agents.larva import readout

    return readout


class LarvaAgent(BrainAgent):
    """A group of larvae, each with a mushroom body of its own.

    Parameters
    ----------
    config : LarvaConfig or None
        None is the default.
    brain : MushroomBodyConfig or None
        None is the preset "calibrated".
    odors : sequence of str
        Odors in the order of the observation; by default those of the default arena, A and B.
    animals : int
    control_interval_ms : float
        A whole number of the body's inner steps (10 ms) and of steps of `dt_ms`.
    seed : int
        Of wiring, input trains and locomotion, keyed by animal: animal 3 of 5 is animal 3 of 8.
    simulator : SimulatorSettings or None
        None is the default simulator.
    dt_ms : float
    network : Network or None
        The brain, such as an altered `mushroom_body(brain)` or measured wiring
        (`brains.circuits.connectome.larva`); None is the drawn mushroom body. It needs the populations
        `READ_OUT` and the spike inputs "odor" (a channel for each receptor), "reward" and "punishment".

    Raises
    ------
    AgentError
        When the control interval does not fit, an odor has no receptor pattern, or the network lacks a part.

    Attributes
    ----------
    network : Network
    simulator : Simulator
    variables : mapping
        The read-outs: preference, mbon_rate_hz, dan_rate_hz, olfactory_drive.

    Examples
    --------
    >>> import gymnasium
    >>> import ethospike.envs
    >>> env = gymnasium.make("ethospike/OdorArena-v0")
    >>> with LarvaAgent.for_env(env, seed=1) as larva:
    ...     observation, _ = env.reset(seed=1)
    ...     decision = larva.act(observation)
    >>> decision.action.shape
    (2,)
    """

    any_shape = ("source/events",)  # as many as happened to be drawn ahead
    variables: Mapping[str, Mapping[str, Any]] = {
        "preference": variable(
            "(MBONp - MBONn) / (MBONp + MBONn), filtered",
            "1",
            "float32",
            panel=Panel("preference: approach above, avoidance below 0", low=-1.0, high=1.0),
        ),
        "mbon_rate_hz": variable(
            "filtered rates of MBONp (approach) and MBONn (avoidance)",
            "Hz",
            "float32",
            components=named(READ_OUT[:2], "Hz"),
            panel=RATES,
            mbon=2,
        ),
        "dan_rate_hz": variable(
            "filtered rates of DANp (reward) and DANn (punishment)",
            "Hz",
            "float32",
            components=named(READ_OUT[2:], "Hz"),
            panel=RATES,
            dan=2,
        ),
        "olfactory_drive": DRIVE_VARIABLE,
    }

    def __init__(
        self,
        config: LarvaConfig | Mapping[str, Any] | None = None,
        brain: MushroomBodyConfig | Mapping[str, Any] | None = None,
        odors: Sequence[str] = tuple(LarvaConfig().patterns),
        *,
        animals: int = 1,
        control_interval_ms: float = 100.0,
        seed: int,
        simulator: SimulatorSettings | None = None,
        dt_ms: float = 0.1,
        network: Network | None = None,
    ) -> None:
        super().__init__(animals, control_interval_ms)
        self.config = configured(LarvaConfig, config, AgentError)
        self.brain = configured(MushroomBodyConfig, brain, AgentError, PRESETS["calibrated"])
        self.odors = tuple(odors)
        self._n_features = len(features(self.odors))
        self.seed = seed
        self.dt_ms = dt_ms
        n_steps = whole_number(control_interval_ms, dt_ms)
        if n_steps is None:
            raise AgentError(
                f"a control interval of {control_interval_ms} ms is not a whole number of steps of {dt_ms} ms"
            )
        self.n_steps = n_steps
        self._locomotion = Locomotion(
            self.config.locomotion, animals=animals, control_interval_ms=control_interval_ms, seed=seed
        )
        # One smell: the circuit's preference is one for the whole mixture, and so is its change.
        self._olfaction = OlfactoryDrive(animals, 1, control_interval_ms, self.config.detection_floor_um)

        self.network = mushroom_body(self.brain) if network is None else network
        _check_parts(self.network)
        self._wire_senses()
        self._place_of_neuron = np.full(self.network.n_neurons, -1)
        for place, name in enumerate(READ_OUT):
            self._place_of_neuron[self.network.neurons(name)] = place
        self._sizes = np.array([float(self.network.population(name).size) for name in READ_OUT])
        keep = math.exp(-control_interval_ms / self.config.readout_tau_ms)
        rate_per_spike = (1.0 - keep) / (control_interval_ms / 1000)
        least_hz = self.config.min_spikes / (self.config.readout_tau_ms / 1000)
        self._filter = keep, rate_per_spike, least_hz, self.config.gain
        self._rate_hz = np.zeros((animals, len(READ_OUT)))
        self.simulator = open_simulator(self.network, simulator, seed=seed, animals=animals, dt_ms=dt_ms)
        self.backend = self.simulator.backend
        self._source = GammaSource(
            self.network.n_spike_channels,
            self.brain.input_shape,
            seed=seed,
            animals=animals,
            dt_ms=dt_ms,
            ahead=self.simulator.capabilities.frees_interpreter and self.simulator.settings.threads != 1,
            threads=self.simulator.settings.threads or cores(),
        )

    @classmethod
    def for_env(
        cls,
        env: Any,
        config: LarvaConfig | Mapping[str, Any] | None = None,
        brain: MushroomBodyConfig | Mapping[str, Any] | None = None,
        *,
        seed: int,
        simulator: SimulatorSettings | None = None,
        dt_ms: float = 0.1,
        network: Network | None = None,
    ) -> Self:
        """Make the larvae that fit an odor arena, single or vector.

        Raises
        ------
        AgentError
            When it is another environment, or a wrapper changes its observations or its actions.
        """
        arena = odor_arena(env)
        return cls(
            config,
            brain,
            arena.config.odors,
            animals=arena.animals,
            control_interval_ms=arena.control_interval_ms,
            seed=seed,
            simulator=simulator,
            dt_ms=dt_ms,
            network=network,
        )

    # -- the control step ---------------------------------------------------------------------------

    def _act(self, observation: NDArray[np.floating]) -> Decision:
        if observation.shape[1] != self._n_features:
            names = [feature.name for feature in features(self.odors)]
            raise AgentError(
                f"observation: expected {len(names)} features ({', '.join(names)}), "
                f"got {observation.shape[1]}"
            )
        senses = np.array(observation[:, :WALL_COLUMN], np.float64, order="C")
        stimulus, smell_um = self._encode(senses)
        spikes = self.simulator.run(self.n_steps, stimulus)
        read = self._read_out(spikes)
        drive = self._olfaction.update(smell_um, read.gain)
        readout = {
            "preference": read.preference,
            "mbon_rate_hz": read.mbon_hz,
            "dan_rate_hz": read.dan_hz,
            "olfactory_drive": drive.astype(np.float32),
        }
        return Decision(self._locomotion.action(drive), stimulus, spikes, readout)

    def _wire_senses(self) -> None:
        """Set the rate that each sense (odors, reward, punishment) adds to each input channel."""
        network, brain, config = self.network, self.brain, self.config
        odor_channels = network.spike_channels("odor")
        n_odors = len(self.odors)
        baseline_hz = np.zeros(network.n_spike_channels)
        baseline_hz[odor_channels] = brain.baseline_hz
        hz = np.zeros((n_odors + len(KINDS), network.n_spike_channels))
        for odor, row in zip(self.odors, hz, strict=False):
            row[odor_channels] = config.pattern_hz(odor)
        hz[n_odors + KINDS.index("reward"), network.spike_channels("reward")] = brain.reward_hz
        hz[n_odors + KINDS.index("punishment"), network.spike_channels("punishment")] = brain.punishment_hz
        unit = np.array([config.reference_um] * n_odors + [1.0] * len(KINDS))
        highest = np.array([config.saturation] * n_odors + [math.inf] * len(KINDS))
        self._senses = unit, highest, hz, baseline_hz

    def _encode(self, senses: NDArray[np.float64]) -> tuple[Stimulus, NDArray[np.float64]]:
        """Turn the senses into rates of the input channels, and these into spikes of the next window.

        The second value is the summed concentration of all odors (µM), shape (animals, 1).
        """
        rate_hz, smell_um = (
            np.empty((self.animals, self.network.n_spike_channels)),
            np.empty((self.animals, 1)),
        )
        compiled = _readout()
        compiled.encode(senses, len(self.odors), compiled.Senses(*self._senses), rate_hz, smell_um)
        trains = self._source.trains(self.simulator.step + 1, self.n_steps, rate_hz)
        return Stimulus.by_animal(trains, rate_hz=rate_hz), smell_um

    def _read_out(self, spikes: SpikeBlock) -> Any:
        """Filter the rates of the output neurons and DANs; return them and the preference (`Readout`)."""
        animals, compiled = self.animals, _readout()
        out = compiled.Readout(
            np.empty((animals, 1)),
            np.empty(animals, np.float32),
            np.empty((animals, 2), np.float32),
            np.empty((animals, 2), np.float32),
        )
        heard = spikes.animal, spikes.neuron, self._place_of_neuron
        compiled.read_out(*heard, self._sizes, self._filter, self._rate_hz, out)
        return out

    # -- memory and state ---------------------------------------------------------------------------

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """Return the KC>MBON weights (nS) by projection, each of shape (animals, synapses)."""
        return {p.name: self.simulator.weights(p.name) for p in self.network.plastic_projections}

    def memory(self) -> dict[str, NDArray[Any]]:
        """Return the memory of the larvae: the entries of a `save_memory`.

        Those of `weights`, and `about`: seed and configuration of the brain, as JSON.
        """
        return {"about": memory.described(self.seed, self.brain, self.network), **self.weights()}

    def save_memory(self, path: str | Path) -> Path:
        """Save `memory` as a NumPy archive; return its path (suffix .npz)."""
        return memory.write(path, self.memory())

    def load_memory(self, path: str | Path) -> None:
        """Give the larvae the weights of a `save_memory`; those of animal i to animal i.

        Raises
        ------
        AgentError
            When the file is no memory, or was made by another circuit (wiring, initial weights or seed) or
            by fewer animals. Rules of learning and inputs may differ (`memory.FREE`).
        """
        weights = memory.read(path, self.seed, self.brain, self.network, self.weights())
        for projection in self.network.plastic_projections:
            self.simulator.set_weights(projection.name, weights[projection.name])

    def _own_state(self) -> State:
        return join_states(
            {
                "source": self._source.state(),
                "olfaction": self._olfaction.state(),
                "locomotion": self._locomotion.state(),
                "readout": {"rate_hz": self._rate_hz.copy()},
            }
        )

    def _set_own_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._source.set_state(state_of("source", state))
        self._olfaction.set_state(state_of("olfaction", state))
        self._locomotion.set_state(state_of("locomotion", state))
        self._rate_hz[:] = state_of("readout", state)["rate_hz"]


def _check_parts(network: Network) -> None:
    """Raise `AgentError` unless a network has all that the larva reads and drives."""
    try:
        for name in READ_OUT:
            network.population(name)
        channels = network.spike_channels("odor")
        for name in KINDS:
            network.spike_channels(name)
    except BrainError as error:
        raise AgentError(f"the larva's network: {error}") from None
    count = channels.stop - channels.start
    if count != N_GLOMERULI:
        raise AgentError(f"the larva's network: expected {N_GLOMERULI} channels of 'odor', got {count}")
