"""A page for each run and sweep: one HTML file that needs neither network nor ethospike."""
