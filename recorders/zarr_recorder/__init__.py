"""The recorder that streams to Zarr."""

from ethospike.recorders.zarr_recorder.recorder import ZarrRecorder

__all__ = ["ZarrRecorder"]
