"""The engine of rows: large networks of any kind, synapses as compressed rows."""
