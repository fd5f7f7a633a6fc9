"""A page for each run, sweep and experiment: one HTML file that needs neither network nor ethospike."""
