"""Runnable experiments: configuration, the closed loop, the command line."""
