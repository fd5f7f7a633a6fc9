"""The larva compared with published results."""
