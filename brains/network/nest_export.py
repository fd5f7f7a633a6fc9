"""A network as a PyNEST script that needs nothing but NEST and NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.network.population import Population
from ethospike.brains.network.projection import CurrentInput, Projection, SpikeInput, Synapses
from ethospike.brains.network.rules import AllToAll, OneToOne
from ethospike.errors import BrainError
from ethospike.paths import user_path


class Described(Protocol):
    """The parts of a `Network` that a script is made of."""

    @property
    def populations(self) -> Sequence[Population]:
        """As `Network.populations`."""

    @property
    def projections(self) -> Sequence[Projection]:
        """As `Network.projections`."""

    @property
    def spike_inputs(self) -> Sequence[SpikeInput]:
        """As `Network.spike_inputs`."""

    @property
    def current_inputs(self) -> Sequence[CurrentInput]:
        """As `Network.current_inputs`."""

    def population(self, name: str) -> Population:
        """As `Network.population`."""

    def offset(self, name: str) -> int:
        """As `Network.offset`."""

    def parameter(self, population: str, key: str, seed: int, animal: int) -> NDArray[np.float64]:
        """As `Network.parameter`."""

    def wire(self, name: str, seed: int, animal: int) -> Synapses:
        """As `Network.wire`."""

    def channel_neurons(self, given: SpikeInput | CurrentInput) -> NDArray[np.int64]:
        """As `Network.channel_neurons`."""


HEAD = '''"""A network as a PyNEST script: seed {seed}, animal {animal}, steps of {dt_ms} ms.

{about}
Inputs are generators without spikes and without current; give them some, for example
`inputs["{example}"][0].set(...)`. Run as a program, it simulates one second.
"""
'''


def write_script(network: Described, path: str | Path, *, seed: int, animal: int, dt_ms: float) -> Path:
    """Write the script and, where it has long lists, a file of arrays beside it; see `Network.to_nest`."""
    script = user_path(path)
    if script.suffix != ".py":
        raise BrainError(f"to_nest: expected a path that ends in .py, got {script.name!r}")
    for population in network.populations:
        if population.neuron_model.nest_name is None:
            raise BrainError(
                f"to_nest: NEST lacks the model {population.neuron_model.name} of {population.name!r}"
            )
    plastic = [p.name for p in network.projections if p.plasticity is not None]
    if plastic:
        raise BrainError(
            f"to_nest: the plasticity of {', '.join(map(repr, plastic))} is computed by ethospike, and NEST "
            f"has no such synapse; export a network whose projections have plasticity=None"
        )
    arrays: dict[str, NDArray[Any]] = {}
    lines = [
        *_populations(network, seed, animal, arrays),
        *_projections(network, seed, animal, arrays),
        *_inputs(network, dt_ms),
        *_tail(network, dt_ms),
    ]
    data = script.with_suffix(".npz")
    names = [i.name for i in network.spike_inputs] + [i.name for i in network.current_inputs]
    about = f"Drawn numbers are in {data.name}, beside this file.\n" if arrays else ""
    head = HEAD.format(
        seed=seed, animal=animal, dt_ms=dt_ms, about=about, example=names[0] if names else "name"
    )
    begin = ["", "from pathlib import Path" if arrays else "", "import nest", "import numpy as np", ""]
    if arrays:
        begin += ['data = np.load(Path(__file__).with_suffix(".npz"))', ""]
        # NumPy's annotations take every keyword for its flag `allow_pickle`.
        np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
    begin += [
        "nest.ResetKernel()",
        f"nest.set(resolution={dt_ms!r}, rng_seed={1 + seed % (2**32 - 1)})",
        "",
    ]
    script.write_text("\n".join([head, *begin, *lines]) + "\n", encoding="utf-8")
    return script


def _populations(network: Described, seed: int, animal: int, arrays: dict[str, NDArray[Any]]) -> list[str]:
    lines = ["# Populations", "neurons = {}"]
    for population in network.populations:
        values: dict[str, str] = {}
        for key in population.parameter_names:
            numbers = network.parameter(population.name, key, seed, animal)
            values[key] = _number(numbers, f"{population.name}.{key}", arrays)
        model = population.neuron_model
        values |= {key: repr(value) for key, value in model.nest_fixed.items()}
        module = getattr(model, "module", None)
        if module:
            lines.append(f"nest.Install({module!r})")
        params = "".join(f"        {key!r}: {value},\n" for key, value in values.items())
        lines.append(
            f"neurons[{population.name!r}] = nest.Create(\n    {model.nest_name!r},\n    {population.size},\n"
            f"    params={{\n{params}    }},\n)"
        )
    return [*lines, ""]


def _number(numbers: NDArray[np.float64], name: str, arrays: dict[str, NDArray[Any]]) -> str:
    """Return an expression: one number if all are equal, else an array of the file."""
    if len(numbers) and (numbers == numbers[0]).all():
        return repr(float(numbers[0]))
    arrays[name] = numbers
    return f"data[{name!r}].tolist()"


def _projections(network: Described, seed: int, animal: int, arrays: dict[str, NDArray[Any]]) -> list[str]:
    lines = ["# Projections"] if network.projections else []
    for projection in network.projections:
        wired = network.wire(projection.name, seed, animal)
        if not len(wired.source):
            lines.append(f"# {projection.name}: no synapses were drawn")
            continue
        receptor = "" if projection.receptor is None else f', "receptor_type": {_port(network, projection)}'
        ends = f"neurons[{projection.source!r}], neurons[{projection.target!r}]"
        weight, delay = np.asarray(wired.weight), np.broadcast_to(wired.delay_ms, len(wired.source))
        is_one = (weight == weight[0]).all() and (delay == delay[0]).all()
        if is_one and isinstance(projection.rule, (AllToAll, OneToOne)):
            rule = {"rule": "all_to_all", "allow_autapses": False}
            if isinstance(projection.rule, OneToOne):
                rule = {"rule": "one_to_one"}
            spec = f'{{"weight": {float(weight[0])!r}, "delay": {float(delay[0])!r}{receptor}}}'
            lines.append(f"nest.Connect({ends}, {rule!r}, {spec})")
            continue
        name = projection.name
        arrays[f"{name}.source"] = wired.source.astype(np.int32)
        arrays[f"{name}.target"] = wired.target.astype(np.int32)
        values = []
        for key, numbers in (("weight", weight), ("delay", delay)):
            if (numbers == numbers[0]).all():
                values.append(f'"{key}": np.full({len(numbers)}, {float(numbers[0])!r})')
            else:
                arrays[f"{name}.{key}"] = np.asarray(numbers, dtype=np.float64)
                values.append(f'"{key}": data[{f"{name}.{key}"!r}]')
        extra = (
            ""
            if projection.receptor is None
            else f', "receptor_type": np.full({len(wired.source)}, {_port(network, projection)})'
        )
        lines.append(
            f"nest.Connect(\n"
            f"    neurons[{projection.source!r}].tolist()[0] + data[{f'{name}.source'!r}].astype(np.int64),\n"
            f"    neurons[{projection.target!r}].tolist()[0] + data[{f'{name}.target'!r}].astype(np.int64),\n"
            f'    "one_to_one",\n    {{{", ".join(values)}{extra}}},\n)'
        )
    return [*lines, ""] if lines else []


def _port(network: Described, given: Projection | SpikeInput) -> str:
    """Return an expression for the number of a receptor port."""
    if not isinstance(given.receptor, str):
        return repr(given.receptor)
    model = network.population(given.target).neuron_model.nest_name
    return f'nest.GetDefaults({model!r})["receptor_types"][{given.receptor!r}]'


def _inputs(network: Described, dt_ms: float) -> list[str]:
    lines = ["# Inputs: a generator a channel", "inputs = {}"]
    given: list[SpikeInput | CurrentInput] = [*network.spike_inputs, *network.current_inputs]
    for entry in given:
        reached = network.channel_neurons(entry) - network.offset(entry.target)
        is_spikes = isinstance(entry, SpikeInput)
        generator = "spike_generator" if is_spikes else "dc_generator"
        lines.append(f"inputs[{entry.name!r}] = nest.Create({generator!r}, {len(reached)})")
        weight = float(getattr(entry, "weight", 1.0))
        delay = float(getattr(entry, "delay_ms", dt_ms))
        spec = f'"weight": {weight!r}, "delay": {delay!r}'
        if isinstance(entry, SpikeInput) and entry.receptor is not None:
            spec += f', "receptor_type": {_port(network, entry)}'
        first, each = int(reached[0, 0]), reached.shape[1]
        lines += [
            f"for channel, generator in enumerate(inputs[{entry.name!r}]):",
            f"    first = {first} + {each} * channel",
            f"    nest.Connect(generator, neurons[{entry.target!r}][first : first + {each}], "
            f"syn_spec={{{spec}}})",
        ]
    return [*lines, ""] if given else []


def _tail(network: Described, dt_ms: float) -> list[str]:
    names = [population.name for population in network.populations]
    together = " + ".join(f"neurons[{name!r}]" for name in names)
    return [
        "# Spikes; the recorder must not shorten the interval in which NEST exchanges them",
        'recorder = nest.Create("spike_recorder", params={"time_in_steps": True})',
        f"shortest = nest.min_delay if nest.num_connections else {dt_ms!r}",
        f'nest.Connect({together}, recorder, syn_spec={{"delay": shortest}})',
        "",
        'if __name__ == "__main__":',
        "    nest.Simulate(1000.0)",
        "    events = recorder.events",
        '    print(len(events["senders"]), "spikes in one second")',
    ]
