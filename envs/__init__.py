"""Bodies, arenas and tasks behind the Gymnasium API. Knows no neuron."""
