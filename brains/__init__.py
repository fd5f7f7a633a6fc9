"""Spiking brains: networks as descriptions, and the simulators that run them. Knows no body."""
