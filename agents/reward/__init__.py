"""Agents that learn from the scalar reward of an environment."""
