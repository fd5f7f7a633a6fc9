"""A read-only Zarr store that shows the committed rows of a recording, finished, running or broken.

A writer lengthens its arrays before it commits, and a crash leaves them at various lengths. Here every array
ends at the root's counters, which are read once. zarr and xarray open the store like any other.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import LocalStore

from ethospike.errors import RecordingError
from ethospike.recorders.format import COMMITTED, EVENTS_1, LENGTH, check_version


def read_attributes(root: Path) -> dict[str, Any]:
    """Return the root attributes of a recording.

    Raises
    ------
    RecordingError
        When there is no recording, or one that this version cannot read.
    """
    try:
        metadata = json.loads((root / "zarr.json").read_bytes())
    except FileNotFoundError as error:
        raise RecordingError(f"there is no recording at {root}: expected a Zarr group") from error
    except (OSError, ValueError) as error:
        raise RecordingError(f"cannot read {root / 'zarr.json'}: {error}") from error
    attributes: dict[str, Any] = metadata.get("attributes", {})
    check_version(attributes, root)
    return attributes


def cut(metadata: dict[str, Any], counters: Mapping[str, int]) -> dict[str, Any]:
    """Return the metadata of an array, cut to the rows that are committed; a group's are left as they are."""
    counter = metadata.get("attributes", {}).get(LENGTH)
    if metadata.get("node_type") != "array" or counter is None:
        return metadata
    return {**metadata, "shape": [counters[counter], *metadata["shape"][1:]]}


class CommittedStore(LocalStore):
    """Shows the committed rows of a recording.

    Parameters
    ----------
    root : Path
        The Zarr group.
    attributes : mapping
        Its root attributes as they were when the view was made; rows committed later stay out of it.
    """

    def __init__(self, root: Path, attributes: Mapping[str, Any], *, read_only: bool = True) -> None:
        super().__init__(root, read_only=True)
        self._attributes = attributes
        # Format 1 counted events where later ones count intervals.
        self._counters = {name: int(n) for name, n in attributes.items() if name in (*COMMITTED, EVENTS_1)}

    def with_read_only(self, read_only: bool = True) -> Self:
        """Return the same view; it cannot be written."""
        if not read_only:
            raise RecordingError(f"{self.root} is open for reading only")
        return type(self)(self.root, self._attributes)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read a file, or the metadata of an array as they are true."""
        return self._true(key, await super().get(key, prototype or default_buffer_prototype(), byte_range))

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read a file, or the metadata of an array as they are true."""
        return self._true(key, super().get_sync(key, prototype=prototype, byte_range=byte_range))

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """List a folder, without folders that a crash left before they became groups or arrays."""
        async for name in super().list_dir(prefix):
            path = self.root / prefix / name
            if not path.is_dir() or (path / "zarr.json").is_file():
                yield name

    def _true(self, key: str, value: Buffer | None) -> Buffer | None:
        if value is None or not key.endswith("zarr.json"):
            return value
        metadata = json.loads(value.to_bytes())
        if key == "zarr.json":
            metadata["attributes"] = dict(self._attributes)
        else:
            metadata = cut(metadata, self._counters)
        return type(value).from_bytes(json.dumps(metadata).encode())
