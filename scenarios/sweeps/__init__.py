"""Sweeps over parameters, and calibration."""
