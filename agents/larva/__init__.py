"""The larva: a mushroom body wired to a crawling body, and larvae without neurons."""

from ethospike.agents.larva.agent import LarvaAgent, LarvaConfig

__all__ = ["LarvaAgent", "LarvaConfig"]
