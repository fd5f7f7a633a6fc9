"""Reading a recording back, and handing it to other libraries."""

from ethospike.recorders.recording.exports import to_neo, to_pynapple
from ethospike.recorders.recording.nwb import to_nwb
from ethospike.recorders.recording.recording import Recording, find_recording, open_recording
from ethospike.recorders.recording.spikes import SpikeTable
from ethospike.recorders.subject import Subject

__all__ = [
    "Recording",
    "SpikeTable",
    "Subject",
    "find_recording",
    "open_recording",
    "to_neo",
    "to_nwb",
    "to_pynapple",
]
