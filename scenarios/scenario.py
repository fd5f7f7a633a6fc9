"""The description of an experiment (`Scenario`) and the base of its configuration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gymnasium.vector import VectorEnv

from ethospike.agents.agent import Agent
from ethospike.brains.network import Network
from ethospike.brains.simulator import SimulatorSettings
from ethospike.clock import whole_number
from ethospike.errors import ScenarioError, nearest
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.subject import Subject
from ethospike.shown import Shown, html_table

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording


@dataclass(frozen=True, kw_only=True)
class ScenarioConfig(Shown):
    """The fields shared by the configurations of all scenarios; each scenario adds its fields.

    Parameters
    ----------
    seed : int
        The same seed, scenario, simulator and version give the same recording, bit for bit.
    animals : int
        Size of the group; animals do not interact, and animal 3 of 5 is animal 3 of 8.
    control_interval_ms : float
        Interval of the exchange between brain and body; a whole number of simulation steps.
    dt_ms : float
        Length of a simulation step.
    action_delay : int
        Delay of the body behind the brain (control steps); 0 moves the body with the action of the same
        window.
    simulator : SimulatorSettings
        The simulator of the brain, and its settings.
    recorder : RecorderConfig
        The recorded variables, spikes and weights.
    subject : Subject
        The animal that the simulation stands for, for archives (`ethospike export`).
    checkpoint_every_s : float
        Wall time between two checkpoints (s), if simulator and environment can save their state; 0 makes no
        checkpoints. The default costs little: a checkpoint of 25 larvae takes milliseconds.
    arm : tuple of str
        Control arms (docs/arms.md), such as "freeze" or "silence KC phase=test", applied in this order; empty
        or "intact" for the intact animal. " + " joins several in one text.
    """

    seed: int = 1
    animals: int = 1
    control_interval_ms: float = 100.0
    dt_ms: float = 0.1
    action_delay: int = 0
    simulator: SimulatorSettings = field(default_factory=SimulatorSettings)
    recorder: RecorderConfig = field(default_factory=RecorderConfig)
    subject: Subject = field(default_factory=Subject)
    checkpoint_every_s: float = 30.0
    arm: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "arm", separate_arms(self.arm))
        if self.seed < 0:
            raise ScenarioError(f"seed: expected at least 0, got {self.seed}")
        if self.animals < 1:
            raise ScenarioError(f"animals: expected at least 1, got {self.animals}")
        if self.action_delay < 0:
            raise ScenarioError(f"action_delay: expected at least 0 control steps, got {self.action_delay}")
        if not self.checkpoint_every_s >= 0:
            raise ScenarioError(f"checkpoint_every_s: expected at least 0 s, got {self.checkpoint_every_s}")
        whole_steps(self.control_interval_ms, self.dt_ms)


@dataclass(frozen=True)
class Scenario:
    """A runnable experiment.

    Parameters
    ----------
    name : str
    about : str
        One line for `ethospike list`.
    config : type
        A subclass of `ScenarioConfig`: every field is a flag and a key of a TOML file.
    open : callable(config) -> (VectorEnv, Agent), or callable(config, change_network) -> (VectorEnv, Agent)
        Creates the body and the brain. With the second form, arms can change the brain: `change_network`
        takes the network that the scenario has made, and returns the network that the agent is to have
        (`unchanged` by default).
    summarize : callable(recording, config) -> dict
        The measures of the run, for `summary.json`. Read variables with `recording.variable(name)`: if a
        variable was not recorded, the measures are left out and the summary gives the reason.
    draw : callable(recording, config, folder) -> list of Path
        Writes the figures.
    duration_s : callable(config) -> float
        Simulated time of the whole run, for the progress bar.
    keep : callable(agent, folder)
        Saves parts of the agent at the end of the experiment; not called for a stopped run.
    presets : mapping of str to nested mappings
        Named deviations from the configuration's defaults.
    families : mapping of str to mapping of str to nested mappings
        Flags that stand for values of several fields at once, such as `--network large`: name of the flag to
        names to values. The first name is the default; flags, files and presets win over its values.
    conclude : callable(summary) -> str
        Puts the summary into a sentence or two, printed at the end of a run.
    file : Path or None
        The file of a user's scenario; set by `find_scenario`.
    arms : tuple of Arm
        The arms that have been applied, for their proofs; set by `ethospike.scenarios.arms.armed`.
    """

    name: str
    about: str
    config: type[ScenarioConfig]
    open: Callable[..., tuple[VectorEnv, Agent]]
    duration_s: Callable[[Any], float]
    summarize: Callable[[Recording, Any], dict[str, Any]] = lambda recording, config: {}
    draw: Callable[[Recording, Any, Path], Sequence[Path]] = lambda recording, config, folder: []
    keep: Callable[[Any, Path], None] = lambda agent, folder: None
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    families: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    conclude: Callable[[dict[str, Any]], str] = lambda summary: ""
    file: Path | None = None
    arms: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<Scenario {self.name}: {self.about}>"

    def _repr_html_(self) -> str:
        rows = [
            ("scenario", self.name),
            ("about", self.about),
            ("presets", ", ".join(self.presets)),
            *((flag, ", ".join(members)) for flag, members in self.families.items()),
            ("file", "" if self.file is None else self.file.name),
            ("configuration", self.config.__name__),
        ]
        return html_table([row for row in rows if row[1]])


INTACT = "intact"
"""Stands for no arm, where a name is needed: on an axis of a sweep, or for a group."""


def separate_arms(arms: Iterable[object] | str) -> tuple[str, ...]:
    """Return the texts of arms one by one, without those that stand for the intact animal.

    Examples
    --------
    >>> separate_arms(["intact", "freeze + silence KC"])
    ('freeze', 'silence KC')
    """
    texts = [arms] if isinstance(arms, str) else map(str, arms)
    parts = [part.strip() for text in texts for part in text.split(" + ")]
    return tuple(part for part in parts if part not in ("", INTACT))


def unchanged(network: Network) -> Network:
    """Return a network as it is."""
    return network


def require_known(field: str, value: object, valid: Iterable[str]) -> None:
    """Raise `ScenarioError` unless the value of a field is a valid name; the message names the nearest.

    The command line refuses invalid names itself; Python does not check a `Literal`.
    """
    names = tuple(valid)
    if value not in names:
        raise ScenarioError(f"{field}: unknown {value!r}; {nearest(str(value), names)}")


def whole_steps(interval_ms: float, dt_ms: float) -> int:
    """Return an interval as a whole number of steps.

    Raises
    ------
    ScenarioError
        When the interval is not a whole number of steps; nothing is rounded silently.
    """
    if not (0 < dt_ms < math.inf and 0 < interval_ms < math.inf):
        raise ScenarioError(
            f"expected positive, finite times, got control_interval_ms {interval_ms} and dt_ms {dt_ms}"
        )
    steps = whole_number(interval_ms, dt_ms)
    if steps is None:
        raise ScenarioError(
            f"control_interval_ms {interval_ms} is not a whole number of steps of dt_ms {dt_ms}"
        )
    return steps


def steps_of_run(field: str, length: float, unit_s: float, control_interval_ms: float) -> int:
    """Return the length of a run, in units of `unit_s` (s), as the nearest whole number of control steps.

    Only lengths of runs are rounded, never times within a run: 0.1667 min means ten seconds.

    Raises
    ------
    ScenarioError
        When the length is not finite, or rounds to 0; the message names the field.
    """
    if not 0 < length < math.inf:
        raise ScenarioError(f"{field}: expected above 0, and finite, got {length}")
    steps = round(length * unit_s * 1000.0 / control_interval_ms)
    if steps < 1:
        raise ScenarioError(
            f"{field}: expected at least one control step of {control_interval_ms:g} ms, got {length:g}, "
            f"which is {length * unit_s * 1000.0:g} ms"
        )
    return steps
