"""Reads a recording with plain Zarr and plain xarray, and prints a digest of every value in it.

    python tests/recorders/plain_digest.py runs/RUN/recording.zarr

It needs neither ethospike nor anything else but zarr and xarray, in whatever versions are installed: the same
digest in two environments means that both read the same values. Exit status 1 if Zarr and xarray differ.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import numpy as np
import xarray
import zarr

ROWS_AT_ONCE = 1 << 22
"""Values of a list of spikes that are held in memory at a time."""


def digest(path: str) -> tuple[int, str]:
    """Return how many values a recording holds, and the digest of all of them.

    Raises
    ------
    AssertionError
        When xarray reads other values than Zarr.
    """
    found, n_values = hashlib.sha256(), 0
    for name, group in sorted(zarr.open_group(path, mode="r").groups()):
        dataset = xarray.open_zarr(path, group=name, consolidated=False, decode_times=False)
        for key, array in sorted(group.arrays()):
            step = ROWS_AT_ONCE if array.ndim == 1 else max(1, array.shape[0])
            found.update(f"{name}/{key} {array.dtype} {array.shape}".encode())
            for at in range(0, array.shape[0], step):
                values: Any = np.ascontiguousarray(array[at : at + step])
                seen = dataset[key].isel({dataset[key].dims[0]: slice(at, at + step)}).values
                np.testing.assert_array_equal(seen, values, err_msg=f"{name}/{key}")
                found.update(values.tobytes())
                n_values += values.size
    return n_values, found.hexdigest()


if __name__ == "__main__":
    n, text = digest(sys.argv[1])
    versions = f"zarr {zarr.__version__}, xarray {xarray.__version__}, numpy {np.__version__}"
    print(f"Python {sys.version.split()[0]}, {versions}: {n} values, {text[:16]}")
