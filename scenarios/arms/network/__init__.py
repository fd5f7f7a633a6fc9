"""Arms that give the agent another network."""
