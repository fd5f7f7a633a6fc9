"""The description of a neuron model: parameters, units, equations and names, all in one class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.errors import BrainError

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]
"""Arrays of shape (neurons,) by name."""


@dataclass(frozen=True)
class GennCode:
    """Code of a neuron model in GeNN's language.

    The code sees the model's state and constants by name, the state `refractory` (steps left), and
    `excitation`, `inhibition` (weights that arrive in this step, in the unit of the model's weights) and
    `current_pa` (currents of the window). `TINY` is a magnitude below which state counts as 0.
    """

    step: str
    """Advances a neuron by one step."""
    threshold: str = "v >= v_th"
    """Condition of a spike, tested after the step."""
    reset: str = "v = v_reset; refractory = t_ref;"
    """Runs at a spike."""


class NeuronModel:
    """A neuron model: a subclass describes it once for all simulators.

    A simulator that finds no code of its own in the description refuses the model.

    Attributes
    ----------
    name : str
        Name in a `Population`; NEST's name, if NEST has the model.
    defaults : mapping
        Parameters with NEST's names, units (pF, nS, mV, ms, pA) and default values.
    initial : mapping
        State at time 0 that a population may set, with its default: a number, or the name of a parameter.
    positive, not_negative : frozenset of str
        Parameters with a bound.
    weight_unit : str
        Unit of the weights of synapses onto the model.
    state : tuple of str
        Names of the variables that change from step to step, `v` first: the membrane potential in mV
        above the constant `e_l`. The number of refractory steps that are left is `refractory`, on all models.
    arrival_steps : int
        Steps from the arrival of a spike to its first effect on `v`: 1, or 0 where a spike moves `v` itself.
    takes_receptor : bool
        Synapses name the receptor that they reach; else the sign of their weight chooses it.
    one_input : bool
        Excitation and inhibition add up in one path, so that a weight may change its sign.
    is_stochastic : bool
        Spikes are drawn: simulators agree in distribution only.
    nest_name : str or None
        Name on NEST; None where NEST lacks the model.
    nest_fixed : mapping
        NEST's parameters that the description leaves out, with the values that make NEST's model this one.
    kernel : str or None
        Name of the vectorized kernel of the Numba simulator that runs the model, if one does.
    rows_kernel : str or None
        Name of a kernel of the engine of rows alone; small networks run by `step`.
    step : callable or None
        `step(x, k, excitation, inhibition, current_pa, uniform) -> bool`, a plain function that Numba
        compiles. It advances one neuron by one step, resets it if it fires, and returns True then. `x` holds
        the state and `refractory`, `k` the constants, both by name; `uniform` is a random number in [0, 1)
        of stochastic models. It may use `math` and global numbers.
    genn : GennCode or None
        The same for GeNN.
    """

    name: str
    defaults: Mapping[str, float]
    initial: Mapping[str, str | float] = {"V_m": "E_L"}
    positive: frozenset[str] = frozenset()
    not_negative: frozenset[str] = frozenset({"t_ref"})
    weight_unit: str = "pA"
    state: tuple[str, ...] = ("v",)
    arrival_steps: int = 1
    takes_receptor: bool = False
    one_input: bool = False
    is_stochastic: bool = False
    nest_name: str | None = None
    nest_fixed: Mapping[str, float] = {}
    kernel: str | None = None
    rows_kernel: str | None = None
    step: Callable[..., Any] | None = None
    genn: GennCode | None = None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters, the initial state included."""
        return (*self.defaults, *self.initial)

    @property
    def simulators(self) -> tuple[str, ...]:
        """Names of the simulators that have the model."""
        has = {
            "nest": self.nest_name is not None,
            "numba": self.kernel is not None or self.step is not None,
            "genn": self.genn is not None,
        }
        return tuple(name for name, there in has.items() if there)

    def has_parameter(self, key: str) -> bool:
        """Return whether a population of the model may set a parameter of that name."""
        return key in self.parameters

    def check(self, where: str, key: str, values: NDArray[Any]) -> None:
        """Raise `BrainError` unless the values of a parameter are finite and within its bounds."""
        if not np.isfinite(values).all():
            raise BrainError(f"{where}.{key}: expected finite numbers, got {values.tolist()!r}")
        if key in self.positive and (values <= 0).any():
            raise BrainError(f"{where}.{key}: expected values above 0, got {values.tolist()!r}")
        if key in self.not_negative and (values < 0).any():
            raise BrainError(f"{where}.{key}: expected values of at least 0, got {values.tolist()!r}")

    def constants(self, p: Values, dt_ms: float) -> dict[str, NDArray[Any]]:
        """Return the constants of a step of `dt_ms`.

        Parameters
        ----------
        p : mapping
            All `parameters`, each of shape (neurons,), in NEST's units.
        dt_ms : float

        Returns
        -------
        dict of ndarray, shape (neurons,)
            Among them `e_l`, the potential in mV to which `v` is relative.

        Raises
        ------
        BrainError
            When the parameters do not fit together or not this step; the message begins with the name of
            a parameter.
        """
        raise NotImplementedError

    def start(self, p: Values) -> dict[str, Floats]:
        """Return the state at time 0, shape (neurons,) each; variables that are left out begin at 0."""
        return {"v": p["V_m"] - p["E_L"]}
