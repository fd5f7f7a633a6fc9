"""Networks on NEST, and NEST scripts as brains."""

from ethospike.brains.nest.script import NestScript, ScriptNodes

__all__ = ["NestScript", "ScriptNodes"]
