"""Live view, replay and films of a run."""
