"""Long-duration embodied neuroethology: Gymnasium environments in closed loop with spiking brains."""

__version__ = "0.1.0"
