"""What an experiment has to say about itself, and where experiments are found.

In: a name, or the path of a user's own file. Out: a `Scenario`. This file knows no particular experiment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gymnasium.vector import VectorEnv

from ethospike.agents.agent import Agent
from ethospike.brains.simulator import SimulatorSettings
from ethospike.clock import whole_number
from ethospike.errors import ScenarioError, nearest
from ethospike.recorders.config import RecorderConfig
from ethospike.recorders.subject import Subject

if TYPE_CHECKING:
    from ethospike.recorders.recording import Recording


@dataclass(frozen=True, kw_only=True)
class ScenarioConfig:
    """What every scenario's configuration has; scenarios add their own fields.

    Parameters
    ----------
    seed : int
        The same seed, scenario, simulator and version give the same recording, bit for bit.
    animals : int
        Size of the group; animals do not interact, and animal 3 of 5 is animal 3 of 8.
    control_interval_ms : float
        How often brain and body exchange; a whole number of simulation steps.
    dt_ms : float
        Length of a simulation step.
    action_delay : int
        Control steps by which the body is behind the brain; 0 moves it with the action of the same window.
    simulator : SimulatorSettings
        Which simulator runs the brain, and how.
    recorder : RecorderConfig
        What is recorded.
    subject : Subject
        The animal that the simulation stands for, for archives (`ethospike export`).
    checkpoint_every_s : float
        Wall time between two checkpoints (s), where simulator and environment can save their state; 0 makes
        none. The default costs little: a checkpoint of 25 larvae takes milliseconds.
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

    def __post_init__(self) -> None:
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
    """An experiment that can be run.

    Parameters
    ----------
    name : str
    about : str
        One line for `ethospike list`.
    config : type
        A subclass of `ScenarioConfig`: every field is a flag and a key of a TOML file.
    open : callable(config) -> (VectorEnv, Agent)
        Makes the body and the brain.
    summarize : callable(recording, config) -> dict
        The measures of the run, for `summary.json`. Ask for `recording.variable(name)`: where it was not
        recorded, the run has no measures, and says why.
    draw : callable(recording, config, folder) -> list of Path
        Writes the figures.
    duration_s : callable(config) -> float
        Simulated time of the whole run, for the progress bar.
    keep : callable(agent, folder)
        Saves what is to be kept of the agent at the end of the experiment; not called for a run that is
        stopped before.
    presets : mapping of str to nested mappings
        Named deviations from the configuration's defaults.
    families : mapping of str to mapping of str to nested mappings
        Flags that stand for values of several fields at once, such as `--network large`: name of the flag to
        names to values. The first name is the default; flags, files and presets win over its values.
    conclude : callable(summary) -> str
        What the summary says, in a sentence or two for the end of a run.
    file : Path or None
        Where a user's own scenario was found; set by `find_scenario`.
    """

    name: str
    about: str
    config: type[ScenarioConfig]
    open: Callable[[Any], tuple[VectorEnv, Agent]]
    duration_s: Callable[[Any], float]
    summarize: Callable[[Recording, Any], dict[str, Any]] = lambda recording, config: {}
    draw: Callable[[Recording, Any, Path], Sequence[Path]] = lambda recording, config, folder: []
    keep: Callable[[Any, Path], None] = lambda agent, folder: None
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    families: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    conclude: Callable[[dict[str, Any]], str] = lambda summary: ""
    file: Path | None = None


def require_known(field: str, value: object, valid: Iterable[str]) -> None:
    """Raise `ScenarioError`, which names the nearest, unless the value of a field is one of the valid names.

    The command line refuses others itself; Python does not look at a `Literal`.
    """
    names = tuple(valid)
    if value not in names:
        raise ScenarioError(f"{field}: unknown {value!r}; {nearest(str(value), names)}")


def whole_steps(interval_ms: float, dt_ms: float) -> int:
    """Return an interval as a whole number of steps.

    Raises
    ------
    ScenarioError
        When it is none; nothing is rounded silently.
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

    Lengths of runs are rounded, as times within them never are: 0.1667 min is to be ten seconds.

    Raises
    ------
    ScenarioError
        When it is not finite, or rounds to nothing; the message names the field.
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
