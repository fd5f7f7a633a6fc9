"""Files on a disk: forced to it where the file system can, and errors of writing in a sentence."""

from __future__ import annotations

import errno
import os
import traceback
from pathlib import Path

from ethospike.errors import RecordingError, tell_once

UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Answers of file systems without an operation, such as SMB and FUSE to the syncing of a folder."""


def force(path: Path) -> None:
    """Force a file or a folder to the disk; on a file system that cannot, say so once and go on.

    Raises
    ------
    OSError
        When the disk fails.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        if path.is_dir():
            tell_once(
                f"the folders of {path.parent} cannot be forced to the disk; a power cut may lose new files"
            )
            return
        raise
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        kind = "folders" if path.is_dir() else "files"
        tell_once(
            f"this file system cannot force {kind} to the disk ({os.strerror(error.errno)}); a power cut may "
            f"lose what was written last"
        )
    finally:
        os.close(file)


def check_assertions() -> None:
    """Raise `RecordingError` where Python drops assertions and this Zarr opens groups by one.

    Raises
    ------
    RecordingError
        Under `python -O` or `PYTHONOPTIMIZE` with Zarr 3.1.6 or before.
    """
    if __debug__:
        return
    import zarr
    from zarr.core.group import GroupMetadata

    try:
        GroupMetadata.from_dict({"zarr_format": 3, "node_type": "group", "attributes": {}})
    except TypeError:  # the assertion takes the entry `node_type` away
        raise RecordingError(
            f"zarr {zarr.__version__} cannot read recordings in a Python without assertions; unset "
            f"PYTHONOPTIMIZE, or start Python without -O"
        ) from None


def explain(error: BaseException, path: Path) -> str:
    """Return in a sentence why a file could not be written, and the remedy."""
    if isinstance(error, RecordingError):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full: cannot write to {path} ({os.strerror(error.errno)}); what was committed "
            f"before is safe. Free some space or choose another path, and run again"
        )
    if isinstance(error, OSError):
        return f"cannot write to {path}: {error.strerror or error}; what was committed before is safe"
    return f"writing {path} failed: {''.join(traceback.format_exception(error))}"
