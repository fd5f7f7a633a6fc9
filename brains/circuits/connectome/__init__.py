"""Connectomes: measured wiring, read from tables, as networks; see docs/connectomes.md."""

from ethospike.brains.circuits.connectome.connectome import Connectome
from ethospike.brains.circuits.connectome.network import Cells, NetworkOptions, connectome_network
from ethospike.brains.circuits.connectome.readers import (
    read_eichler,
    read_elegans,
    read_flywire,
    read_male_cns,
    read_shiu,
    read_winding,
    read_winding_matrix,
)
from ethospike.brains.circuits.connectome.signs import SignRow, SignTable
from ethospike.brains.circuits.connectome.tables import (
    EdgeColumns,
    NeuronColumns,
    connectome_from_matrix,
    connectome_from_tables,
)

__all__ = [
    "Cells",
    "Connectome",
    "EdgeColumns",
    "NetworkOptions",
    "NeuronColumns",
    "SignRow",
    "SignTable",
    "connectome_from_matrix",
    "connectome_from_tables",
    "connectome_network",
    "read_eichler",
    "read_elegans",
    "read_flywire",
    "read_male_cns",
    "read_shiu",
    "read_winding",
    "read_winding_matrix",
]
