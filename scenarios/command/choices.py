"""Flags that several commands share, as dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ethospike.scenarios import configuration
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.scenarios.sweeps.folder import require

Flags = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]
"""Words that name fields of the scenario's configuration."""


SIGNALED = 128
"""Offset from the number of a signal to the exit code of a process ended by it, as in shells."""


@Parameter(name="*")
@dataclass(frozen=True)
class Choice:
    """The choice of a configuration beside the flags of its fields."""

    config: Path | None = None
    """A TOML file with fields of the configuration, e.g. the config.toml of an earlier run."""
    preset: str = ""
    """A named set of values of the scenario; flags and file win over it."""
    simulator: str = ""
    """nest, numba or genn: short for --simulator.name."""
    genn_backend: str = ""
    """auto, cuda, hip or cpu: short for --simulator.genn-backend."""

    def configuration(self, scenario: Scenario, flags: Sequence[str]) -> ScenarioConfig | None:
        """Return the configuration; show the flags of the scenario and return None for --help.

        Raises
        ------
        ScenarioError
            For an unknown key, a value that does not fit, or a file or preset that does not exist.
        """
        words = [*flags]
        words += ["--simulator.name", self.simulator] if self.simulator else []
        words += ["--simulator.genn-backend", self.genn_backend] if self.genn_backend else []
        return configuration.from_command(scenario, words, config=self.config, preset_name=self.preset)


@Parameter(name="*")
@dataclass(frozen=True)
class Workers:
    """The processes that run the tasks of a sweep."""

    workers: int = 0
    """Processes on this machine; 0 starts one for each core."""
    scheduler: str = ""
    """The address of a running Dask scheduler, instead of processes on this machine."""

    def __bool__(self) -> bool:
        return bool(self.workers or self.scheduler)

    def check(self) -> None:
        """Refuse processes that cannot run a sweep, and the absence of Dask, before a folder is made.

        Raises
        ------
        ScenarioError
        SweepNotInstalled
        """
        require("distributed")
        from ethospike.scenarios.sweeps.workers import check_workers

        check_workers(self.workers, self.scheduler)


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """The folder of the results, the progress and the page."""

    out: Path | None = None
    """The folder of the results, which must not exist; by default a new one in runs/ or sweeps/."""
    quiet: bool = False
    """Show no progress."""
    report: bool = True
    """Write report.html, a page of the results, at the end."""


NO_CHOICE, NO_WORKERS, NO_OUTPUT = Choice(), Workers(), Output()
"""The defaults of the commands."""
