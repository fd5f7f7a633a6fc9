"""Experiments with odors in a dish."""
