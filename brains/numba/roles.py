"""Roles of a neuron in a plastic projection, as bits."""

MODULATOR, TARGET, SOURCE = 1, 2, 4
