"""Reading a recording back."""

from ethospike.recorders.recording.recording import Recording, SpikeTable, find_recording, open_recording

__all__ = ["Recording", "SpikeTable", "find_recording", "open_recording"]
