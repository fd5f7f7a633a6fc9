"""Input spike trains, drawn outside the simulators."""
