"""Codes between spaces and neurons: encoders of observations, and read-outs of spikes into actions."""

from ethospike.agents.codes.encoders import (
    ENCODERS,
    Encoder,
    Fourier,
    Gaussian,
    Joined,
    Line,
    OneHot,
    Places,
    default_encoder,
)
from ethospike.agents.codes.readouts import (
    READOUTS,
    OpponentPairs,
    PopulationVector,
    Readout,
    Softmax,
    WinnerTakeAll,
    default_readout,
)

__all__ = [
    "ENCODERS",
    "READOUTS",
    "Encoder",
    "Fourier",
    "Gaussian",
    "Joined",
    "Line",
    "OneHot",
    "OpponentPairs",
    "Places",
    "PopulationVector",
    "Readout",
    "Softmax",
    "WinnerTakeAll",
    "default_encoder",
    "default_readout",
]
