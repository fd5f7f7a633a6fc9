"""A brain wired to a body: senses into stimuli, spikes into actions."""
