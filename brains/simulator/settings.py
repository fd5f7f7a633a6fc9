"""The table of simulators, and the settings and abilities of a simulator."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from ethospike.errors import BrainError, nearest
from ethospike.shown import Shown


@dataclass(frozen=True)
class SimulatorEntry:
    """A row of `SIMULATORS`."""

    module: str
    """Module of the class; it is imported on demand."""
    class_name: str
    package: str
    """Import name of the wrapped package."""
    distribution: str
    """Name of that package's distribution, for its version."""
    remedy: str
    """Advice where the package is absent."""
    takes_threads: bool
    """The setting `threads` applies."""
    batch: str = ""
    """Module and class of parameter sets as one model, joined by a colon, or nothing where there is none."""
    programs: tuple[tuple[str, str], ...] = ()
    """Programs of the system that it alone needs or can use: name and command."""


SIMULATORS: dict[str, SimulatorEntry] = {
    "nest": SimulatorEntry(
        module="ethospike.brains.nest.simulator",
        class_name="NestSimulator",
        package="nest",
        distribution="nest-simulator",
        remedy="pip install nest-simulator (Linux, macOS)",
        takes_threads=True,
    ),
    "numba": SimulatorEntry(
        module="ethospike.brains.numba.simulator",
        class_name="NumbaSimulator",
        package="numba",
        distribution="numba",
        remedy="pip install numba",
        takes_threads=True,
    ),
    "genn": SimulatorEntry(
        module="ethospike.brains.genn.simulator",
        class_name="GennSimulator",
        package="pygenn",
        distribution="pygenn",
        remedy="it is optional: install PyGeNN 5 from https://github.com/genn-team/genn (docs/simulators.md)",
        takes_threads=False,
        batch="ethospike.brains.genn.batch:GennBatch",
        programs=(("C++ compiler", "c++"), ("CUDA compiler", "nvcc"), ("NVIDIA driver", "nvidia-smi")),
    ),
}
"""The simulators by name. A new simulator is a folder of `brains/` and a row here."""

THREADED = tuple(name for name, entry in SIMULATORS.items() if entry.takes_threads)
"""Names of the simulators that take the setting `threads`."""


@dataclass(frozen=True)
class Capabilities:
    """Optional abilities of a simulator, beyond the core of the contract."""

    restores_state: bool = False
    """`state` and `set_state` continue a run bit-identically."""
    records_voltage: bool = False
    """`watch` and `voltages` work."""
    exact_plasticity: bool = False
    """The plasticity rule is applied at every event rather than every `plasticity_interval_ms`."""
    frees_interpreter: bool = False
    """`run` gives the interpreter's lock away: other threads of Python go on meanwhile."""
    generates_synapses: bool = False
    """Networks with procedural wiring run: synapses are made when a neuron fires."""


@dataclass(frozen=True)
class SimulatorSettings(Shown):
    """Choice of a simulator and its settings.

    A setting that the chosen simulator does not have is an error if it deviates from its default.
    """

    name: str = "numba"
    """numba (default: fastest without a GPU), nest (the reference) or genn (GPUs)."""
    threads: int = field(default=0, metadata={"of": THREADED})
    """CPU threads; 0 leaves the choice to the simulator (NEST: 1 below 20,000 neurons, else all cores)."""
    plasticity_interval_ms: float = field(default=100.0, metadata={"of": ("nest",)})
    """Interval at which NEST's weights are brought up to date (ms); the others apply every event exactly. At
    100 ms weights differ from exact order by 0.001 of 80 nS after 20 s (docs/validation.md), and every
    shorter interval costs NEST time and 2 kB of memory each."""
    precision: str = field(default="single", metadata={"of": ("numba", "genn")})
    """Floating-point precision of the neurons' state: single or double."""
    genn_backend: str = field(default="auto", metadata={"of": ("genn",)})
    """GeNN's backend: auto, cuda, hip or cpu."""

    def __post_init__(self) -> None:
        if self.name not in SIMULATORS:
            raise BrainError(f"simulator: unknown {self.name!r}; {nearest(self.name, SIMULATORS)}")
        if self.threads < 0:
            raise BrainError(f"simulator.threads: expected at least 0, got {self.threads}")
        if not (np.isfinite(self.plasticity_interval_ms) and self.plasticity_interval_ms > 0):
            raise BrainError(
                f"simulator.plasticity_interval_ms: expected > 0, got {self.plasticity_interval_ms}"
            )
        for key, valid in (
            ("precision", ("single", "double")),
            ("genn_backend", ("auto", "cuda", "hip", "cpu")),
        ):
            if getattr(self, key) not in valid:
                raise BrainError(
                    f"simulator.{key}: expected one of {', '.join(valid)}, got {getattr(self, key)!r}"
                )
        for setting in fields(self):
            owners = setting.metadata.get("of", (self.name,))
            if self.name not in owners and getattr(self, setting.name) != setting.default:
                raise BrainError(
                    f"simulator.{setting.name} is a setting of {' and '.join(owners)}, not of {self.name}"
                )
