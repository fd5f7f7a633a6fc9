"""Networks on the built-in Numba simulator."""
