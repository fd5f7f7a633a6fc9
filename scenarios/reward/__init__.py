"""Agents on any environment of Gymnasium, episode after episode."""
