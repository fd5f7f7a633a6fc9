"""Live view, replay and films of a run."""

import os

# pygame greets on standard output, which belongs to the command; all files here may load it.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
