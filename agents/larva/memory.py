"""Files with the weights that larvae have learned, and the description of the circuits that they fit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig
from ethospike.brains.network import Network
from ethospike.errors import AgentError
from ethospike.paths import user_path

FORMAT = 1
"""Version of the files."""
SYNAPSES = "synapses"
"""Entry of the description: the digest of the synapses."""
FREE = frozenset(
    {
        # The way weights change from here on is an experiment: a retention test has a learning rate of 0.
        *("learning_rate", "tau_eligibility_ms", "homeostasis"),
        # Rates and regularity of the input trains leave no trace in a synapse.
        *("baseline_hz", "reward_hz", "punishment_hz", "input_shape"),
    }
)
"""Fields of `MushroomBodyConfig` in which the larvae that load a memory may differ from its makers. All
others are wiring or initial weights, to which homeostasis leads back: they make the circuit."""


def described(seed: int, brain: MushroomBodyConfig, network: Network) -> NDArray[np.str_]:
    """Return seed, configuration, data and synapses of a circuit as JSON."""
    about = {"format": FORMAT, "seed": seed, "brain": dataclasses.asdict(brain)}
    about |= {"wiring": _wiring(network), SYNAPSES: fingerprint(network, seed)}
    return np.array(json.dumps(about))


def _wiring(network: Network) -> list[dict[str, Any]]:
    """Return the data of measured wiring; nothing for the drawn circuit."""
    return [source.described() for source in network.sources]


def fingerprint(network: Network, seed: int) -> str:
    """Return a digest of the synapses of animal 0: their pairs and initial weights."""
    digest = hashlib.sha256()
    for projection in network.projections:
        digest.update(projection.name.encode())
        for array in network.wire(projection.name, seed, 0)[:3]:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def write(path: str | Path, entries: Mapping[str, NDArray[Any]]) -> Path:
    """Save a memory as a NumPy archive; return its path (suffix .npz)."""
    path = user_path(path)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    arrays: dict[str, Any] = dict(entries)
    np.savez(path, **arrays)
    return path


def read(
    path: str | Path,
    seed: int,
    brain: MushroomBodyConfig,
    network: Network,
    like: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    """Return the weights of a memory for larvae with a circuit.

    Parameters
    ----------
    path : path-like
    seed : int
        Of the larvae.
    brain : MushroomBodyConfig
        Of the larvae.
    network : Network
        Of the larvae.
    like : mapping of str to ndarray, shape (animals, synapses)
        The present weights of the larvae.

    Raises
    ------
    AgentError
        When the file is no memory, or was made by another circuit or by fewer animals.
    """
    weights, about = _contents(user_path(path))
    mine = {"format": FORMAT, "seed": seed, **dataclasses.asdict(brain)}
    # Files of earlier versions lack the fields that came later, which had their defaults.
    brain_then = {**dataclasses.asdict(MushroomBodyConfig()), **about["brain"]}
    theirs = {"format": about["format"], "seed": about["seed"], **brain_then}
    for name in {**mine, **theirs}:
        if name not in FREE and mine.get(name) != theirs.get(name):
            raise AgentError(
                f"memory {path}: it was made with {name} = {theirs.get(name)}, these larvae have "
                f"{mine.get(name)}; weights fit only the circuit that learned them, with its wiring, its "
                f"initial weights and its seed"
            )
    _check_circuit(path, seed, network, about)
    for name, expected in like.items():
        animals = len(expected)
        if name not in weights or len(weights[name]) < animals:
            raise AgentError(
                f"memory {path}: expected {name!r} of at least {animals} animals, got "
                f"{len(weights.get(name, ()))}"
            )
        if weights[name].shape[1:] != expected.shape[1:]:
            raise AgentError(
                f"memory {path}: expected {expected.shape[1]} synapses in {name!r}, got shape "
                f"{weights[name].shape}"
            )
    return {name: weights[name][: len(expected)] for name, expected in like.items()}


def _check_circuit(path: str | Path, seed: int, network: Network, about: Mapping[str, Any]) -> None:
    """Raise `AgentError` where a memory was made with other data or other synapses."""
    mine_wired, theirs_wired = _wiring(network), about["wiring"]
    if mine_wired != theirs_wired:
        made, here = (
            ", ".join(entry["name"] for entry in wiring) or "the drawn circuit"
            for wiring in (theirs_wired, mine_wired)
        )
        raise AgentError(
            f"memory {path}: it was made with the wiring of {made}, these larvae have that of {here}, "
            f"or other files or choices; weights fit only the circuit that learned them"
        )
    here = fingerprint(network, seed)
    if about.get(SYNAPSES, here) != here:  # files of version 0.1, of drawn circuits, have no digest
        raise AgentError(
            f"memory {path}: it was made by larvae with other synapses (a control arm, or another "
            f"network); weights fit only the circuit that learned them"
        )


def _contents(path: Path) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Return the weights and the description in a file of `write`."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
            about = json.loads(str(arrays.pop("about")))
            required = {"format": about["format"], "seed": about["seed"], "brain": dict(about["brain"])}
            return arrays, {**about, **required, "wiring": about.get("wiring", [])}
    except FileNotFoundError:
        raise AgentError(f"memory {path}: there is no such file; save_memory writes one") from None
    except OSError as error:
        raise AgentError(f"memory {path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        # NumPy's own words would advise to load it unsafely.
        raise AgentError(
            f"memory {path}: expected a file of save_memory, such as the memory.npz of an odor-conditioning "
            f"run; this is another kind of file, or an incomplete one"
        ) from None
