"""The delayed-reach experiment."""
