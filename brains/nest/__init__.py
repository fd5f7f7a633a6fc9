"""Networks on NEST."""
