"""Flags that several commands share, as dataclasses."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ethospike.errors import ScenarioError
from ethospike.scenarios import configuration
from ethospike.scenarios.scenario import Scenario, ScenarioConfig
from ethospike.scenarios.sweeps.folder import require

if TYPE_CHECKING:
    from ethospike.recorders.view.serve import Listening

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Addresses that only this machine reaches."""
Flags = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]
"""Words that name fields of the scenario's configuration."""


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
    batch: int = 0
    """Parameter sets that run as one model, where the simulator has batches (GeNN on a GPU); 0: up to 40,
    1: each by itself."""

    def __bool__(self) -> bool:
        return bool(self.workers or self.scheduler or self.batch)

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments of the functions that run sweeps."""
        return dataclasses.asdict(self)

    def check(self) -> None:
        """Refuse processes that cannot run a sweep, and the absence of Dask, before a folder is made.

        Raises
        ------
        ScenarioError
        SweepNotInstalled
        """
        require("distributed")
        from ethospike.scenarios.sweeps.workers import check_workers

        check_workers(self.workers, self.scheduler, self.batch)


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


@Parameter(name="*")
@dataclass(frozen=True)
class Serving:
    """A view in a browser instead of a window."""

    serve: bool = False
    """Serve the view to a browser: the address, with a token, is printed; q in the view ends it."""
    host: str = "127.0.0.1"
    """Address to listen on; another than this machine's own admits everybody who has the token."""
    port: int = 0
    """Port to listen on; 0 takes any free one."""

    def check_no_options(self) -> None:
        """Refuse an address if nothing is served.

        Raises
        ------
        ScenarioError
        """
        if not self.serve and (self.host, self.port) != (NO_SERVING.host, NO_SERVING.port):
            raise ScenarioError("--host and --port: only for a view in a browser; add --serve")

    def listening(self) -> Listening:
        """Return the address, after a warning if it is not this machine's own."""
        from ethospike.recorders.view.serve import Listening

        if self.host not in LOOPBACK:
            print(
                f"ethospike: {self.host} lets everybody in who reaches this machine and has the token; the "
                f"connection is not encrypted (docs/view.md: a tunnel)",
                file=sys.stderr,
            )
        return Listening(self.host, self.port)


NO_CHOICE, NO_WORKERS, NO_OUTPUT, NO_SERVING = Choice(), Workers(), Output(), Serving()
"""The defaults of the commands."""
