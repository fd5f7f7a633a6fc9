"""Networks on GeNN."""
