"""Statistics of spikes and groups, and the style of figures."""
