"""The cortex at rest."""
