"""The arm that sets parameters of populations and projections."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network import ClusteredWeight, Distribution, Network, Population, Projection
from ethospike.errors import ArmError, BrainError, nearest
from ethospike.scenarios.arms.arm import ArmedRun
from ethospike.scenarios.arms.network.network_arm import NetworkArm
from ethospike.scenarios.scenario import ScenarioConfig

ALL = "all"
"""Stands for every population that has the parameter."""
OF_PROJECTIONS = ("weight", "delay_ms")


@dataclass
class SetValues(NetworkArm):
    """Set parameters: `set KC q_sfa=0`, `set APL>KC weight*=0.5`, `set all q_sfa=0`.

    Parameters
    ----------
    target : str
        A population, a projection, or `all` for every population that has the parameters.
    values : tuple of (key, factor or value, is_factor)
        Of a population: parameters with NEST's names. Of a projection: weight, delay_ms, and the fields of
        its plasticity rule. `key=value` sets, `key*=factor` multiplies.
    """

    name: ClassVar[str] = "set"
    target: str = ""
    values: tuple[tuple[str, float, bool], ...] = ()

    @classmethod
    def example(cls) -> str:
        """Return an example of the arm's text."""
        return "set KC q_sfa=0"

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """Return the arm of a target and its values.

        Raises
        ------
        ArmError
            When there is no target, no value, or a value that is no number.
        """
        target, *rest = [*words] or [""]
        values = []
        for word in rest:
            key, equals, text = word.partition("=")
            try:
                values.append((key.removesuffix("*"), float(text), key.endswith("*")))
            except ValueError:
                equals = ""
            if not equals:
                raise ArmError(f"arm set: expected PARAMETER=NUMBER or PARAMETER*=FACTOR, got {word!r}")
        if not target or "=" in target or not values:
            raise ArmError(f"arm set: expected a target and its values, as in {cls.example()!r}")
        return cls(target, tuple(values))

    def __str__(self) -> str:
        """Return the text of the arm."""
        return " ".join(
            [
                self.name,
                self.target,
                *(f"{key}{'*' * factor}={value:g}" for key, value, factor in self.values),
            ]
        )

    def change(self, network: Network, config: ScenarioConfig) -> Network:
        """Return the network with these values.

        Raises
        ------
        ArmError
            When the target or a key does not exist, or a value is not possible.
        """
        populations = [p.name for p in network.populations]
        projections = [p.name for p in network.projections]
        try:
            if self.target in projections:
                changed = tuple(
                    self._projection(p) if p.name == self.target else p for p in network.projections
                )
                return dataclasses.replace(network, projections=changed)
            if self.target in populations or self.target == ALL:
                return dataclasses.replace(network, populations=self._populations(network))
        except BrainError as error:
            raise ArmError(f"arm {self}: {error}") from error
        raise ArmError(
            f"arm set: no population or projection {self.target!r}; "
            f"{nearest(self.target, [*populations, *projections, ALL])}"
        )

    def _populations(self, network: Network) -> tuple[Population, ...]:
        chosen = [
            p
            for p in network.populations
            if p.name == self.target or all(p.neuron_model.has_parameter(key) for key, *_ in self.values)
        ]
        if self.target != ALL:
            chosen = [p for p in chosen if p.name == self.target]
        if not chosen:
            raise ArmError(f"arm {self}: no population has these parameters")
        return tuple(self._population(p) if p in chosen else p for p in network.populations)

    def _population(self, population: Population) -> Population:
        params = dict(population.params)
        for key, value, is_factor in self.values:
            if not population.neuron_model.has_parameter(key):
                valid = population.neuron_model.parameters
                raise ArmError(f"arm {self}: {population.name} has no {key!r}; {nearest(key, valid)}")
            params[key] = scaled(population.param(key), value) if is_factor else value
        return dataclasses.replace(population, params=params)

    def _projection(self, projection: Projection) -> Projection:
        rule: Any = projection.plasticity
        of_rule = set()
        if dataclasses.is_dataclass(rule):
            numbers = (f.name for f in dataclasses.fields(rule) if isinstance(getattr(rule, f.name), float))
            of_rule = {name for name in numbers if name != "grid_ms"}
        of_synapses: dict[str, Any] = {}
        new_rule: dict[str, Any] = {}
        for key, value, is_factor in self.values:
            if key in OF_PROJECTIONS:
                of_synapses[key] = scaled(getattr(projection, key), value) if is_factor else value
            elif key in of_rule:
                new_rule[key] = getattr(rule, key) * value if is_factor else value
            else:
                valid = [*OF_PROJECTIONS, *of_rule]
                raise ArmError(f"arm {self}: {projection.name} has no {key!r}; {nearest(key, valid)}")
        if rule is not None:
            of_synapses["plasticity"] = dataclasses.replace(rule, **new_rule)
        return dataclasses.replace(projection, **of_synapses)

    def proof(self, run: ArmedRun) -> dict[str, Any]:
        """Return each value before and after (mean over neurons or synapses), and their number.

        `touched` counts the values of neurons or synapses that differ, in all animals.
        """
        before, after = self.networks()
        values, touched = {}, 0
        for animal in range(run.config.animals):
            for where, old, new in self._pairs(before, after, run.config.seed, animal):
                touched += int((old != new).sum())
                if not animal:
                    values[where] = {"before": float(old.mean()), "after": float(new.mean()), "n": len(old)}
        if not touched:
            raise ArmError(
                f"arm {self}: these are the values already, and the run is that of the intact animal"
            )
        return {"touched": touched, "values": values}

    def _pairs(
        self, before: Network, after: Network, seed: int, animal: int
    ) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
        """Return the numbers of an animal that were set: where, before and after."""
        keys = [key for key, *_ in self.values]
        if self.target in {p.name for p in before.projections}:
            read = partial(_of_projection, name=self.target, seed=seed, animal=animal)
            return [(key, read(before, key=key), read(after, key=key)) for key in keys]
        pairs = zip(before.populations, after.populations, strict=True)
        changed = [old.name for old, new in pairs if old is not new]
        return [
            (
                f"{name}.{key}",
                before.parameter(name, key, seed, animal),
                after.parameter(name, key, seed, animal),
            )
            for name in changed
            for key in keys
        ]


def _of_projection(network: Network, *, name: str, key: str, seed: int, animal: int) -> NDArray[np.float64]:
    """Return a number for each synapse of a projection, or the number of its rule."""
    if key in OF_PROJECTIONS:
        return np.asarray(getattr(network.wire(name, seed, animal), key), dtype=np.float64)
    return np.array([float(getattr(network.projection(name).plasticity, key))])


@dataclass(frozen=True)
class Scaled:
    """A distribution times a factor; the draws of a stream keep their order."""

    distribution: Distribution
    factor: float

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Return `size` values."""
        return np.asarray(self.distribution.draw(rng, size)) * self.factor


def scaled(value: Any, factor: float) -> Any:
    """Return a number, an array, a distribution or clustered weights times a factor."""
    if isinstance(value, ClusteredWeight):
        return ClusteredWeight(value.within * factor, value.across * factor)
    if isinstance(value, Distribution):
        return Scaled(value, factor)
    return np.asarray(value, dtype=float) * factor if np.ndim(value) else float(value) * factor
