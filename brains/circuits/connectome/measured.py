"""Measured circuits of the larva by name, from the folders of their files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.circuits.connectome.larva import (
    LarvaBrainConfig,
    larva_network,
    mushroom_body_part,
    with_roles,
)
from ethospike.brains.circuits.mushroom_body import MushroomBodyConfig
from ethospike.brains.network import Network
from ethospike.errors import BrainError, nearest
from ethospike.paths import expanded

FILES = "ETHOSPIKE_CONNECTOMES"
"""Environment variable with a folder in which each data set has one: `winding`, `eichler`, …"""

DRAWN = "drawn"
CIRCUITS = {
    DRAWN: "the published mushroom body, with random wiring",
    "winding-left": "mushroom body and antennal lobe of the left hemisphere, Winding et al. 2023",
    "winding-right": "the same of the right hemisphere",
    "winding-both": "the same of both hemispheres",
    "winding-brain": "the whole brain of 3,013 neurons, Winding et al. 2023",
    "eichler-left": "mushroom body of the left hemisphere, Eichler et al. 2017, with names of Winding et al.",
    "eichler-right": "the same of the right hemisphere",
}
"""Names of circuits, with their descriptions."""


def folder_of(data: str, given: str = "") -> Path:
    """Return the folder with the files of a data set.

    Parameters
    ----------
    data : str
        `winding` or `eichler`.
    given : str
        The folder itself, or one with a folder of that name; empty is the environment variable's.

    Raises
    ------
    BrainError
        When there is no such folder.
    """
    home = given or os.environ.get(FILES, "")
    if not home:
        raise BrainError(
            f"the files of {data!r} are not part of ethospike: give their folder by --connectome, or one "
            f"with a folder {data!r} by {FILES}; docs/connectomes.md says where to get them"
        )
    for folder in (expanded(home) / data, expanded(home)):
        if folder.is_dir():
            return folder
    raise BrainError(f"{home}: there is no such folder (for the files of {data!r})")


def check_circuit(name: str) -> None:
    """Raise `BrainError` unless there is a circuit of that name."""
    if name not in CIRCUITS:
        raise BrainError(f"circuit: unknown {name!r}; {nearest(name, CIRCUITS)}")


def measured_connectome(name: str, folder: str = "") -> Connectome:
    """Return the neurons and edges of a measured circuit, with roles.

    Raises
    ------
    BrainError
        When there is no such circuit, or its files are absent or malformed.
    """
    from ethospike.brains.circuits.connectome.readers import read_eichler, read_winding

    check_circuit(name)
    data, _, part = name.partition("-")
    side: Literal["left", "right"] = "left" if part == "left" else "right"
    brain = with_roles(read_winding(folder_of("winding", folder)))
    if name == "winding-brain":
        return brain
    if data == "winding":
        return mushroom_body_part(brain, part)
    if data == "eichler":
        from ethospike.brains.circuits.connectome.matching import eichler_on_winding

        files = read_eichler(folder_of("eichler", folder), side)
        return mushroom_body_part(eichler_on_winding(files, brain, part), part)
    raise BrainError(f"circuit: {name!r} is not a measured circuit")


def measured_network(
    name: str, folder: str, brain: MushroomBodyConfig, config: LarvaBrainConfig
) -> Network | None:
    """Return the network of a circuit by name; None for the drawn one."""
    if name == DRAWN:
        return None
    return larva_network(measured_connectome(name, folder), brain, config)
