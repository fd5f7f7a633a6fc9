"""The engine of bits: large networks with dense random wiring, a bit for each pair of neurons."""
