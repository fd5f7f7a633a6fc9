"""The engine of lists: many small networks of any model, each synapse in a list of its source."""
