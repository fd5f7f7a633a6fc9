"""Arrays as text for a page: compressed, and unpacked by the page's script."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 6
MISSING = np.iinfo(np.int16).min
"""Stands for NaN among scaled numbers."""
FULL = 32_000
"""Largest scaled number: 16 bits resolve a panel or a dish better than a screen does."""


def packed(array: NDArray[Any]) -> str:
    """Return the bytes of an array (little-endian, C order), compressed by zlib, in Base64."""
    plain = np.ascontiguousarray(array)
    content = plain.astype(plain.dtype.newbyteorder("<"), copy=False).tobytes()
    return base64.b64encode(zlib.compress(content, LEVEL)).decode("ascii")


def scaled(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.int16]:
    """Return numbers as int16: −`FULL` stands for `low`, `FULL` for `high`, `MISSING` for NaN."""
    span = (high - low) or 1.0
    known = np.isfinite(values)
    share = np.clip((np.where(known, values, low) - low) / span, 0.0, 1.0)
    return np.where(known, np.rint((2.0 * share - 1.0) * FULL), MISSING).astype(np.int16)


def differences(values: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return each value minus the one before along the last axis, modulo 2^16: smooth paths compress well."""
    result = values.copy()
    result[..., 1:] = (values[..., 1:].astype(np.int32) - values[..., :-1]).astype(np.uint16).astype(np.int16)
    return result
