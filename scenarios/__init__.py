"""Experiments that can be run: configuration, the closed loop, the command line."""
