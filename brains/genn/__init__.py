"""Networks on GeNN, and PyGeNN scripts as brains."""

from ethospike.brains.genn.script import GennGroups, GennScript

__all__ = ["GennGroups", "GennScript"]
