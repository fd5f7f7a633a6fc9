"""Arms between brain and body, and arms that silence neurons while the loop runs."""
