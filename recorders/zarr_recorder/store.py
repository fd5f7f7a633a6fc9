"""A local Zarr store with writes that survive a power cut.

Its files are whole or absent, and on the disk when `sync` returns.
"""

from __future__ import annotations

import itertools
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from ethospike.recorders.disk import force

SYNC_THREADS = 8
"""Files forced to the disk at a time; the disk then serves several with one flush."""


class DurableStore(LocalStore):
    """A `LocalStore` with writes that take effect together, at `sync`, once they are on the disk.

    Zarr's own store renames without fsync: after a power cut a file that was rewritten, such as the last
    chunk of an array or the metadata, may be empty although it had been whole before. Here a file is written
    beside the group; `sync` forces all of them to the disk, then renames them, chunks before the metadata
    that counts them, and then forces the folders. Until then the group is as it was, for readers and after
    a crash.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._waiting: dict[str, Path] = {}
        self._changed: set[Path] = set()
        self._numbers = itertools.count()

    async def set(self, key: str, value: Buffer) -> None:
        """Write a file, to take effect at the next `sync`."""
        self._check_writable()
        self._write(key, value)  # into the cache of the file system: quicker than waking a thread

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write a file, to take effect at the next `sync`."""
        self._check_writable()
        self._write(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write a file unless it is there; there is one writer, so nothing can come between."""
        if not await self.exists(key):
            await self.set(key, value)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read a file, as it was written last."""
        if key not in self._waiting:
            return await super().get(key, prototype, byte_range)
        beside = LocalStore(self.root.parent, read_only=True)
        return await beside.get(self._waiting[key].name, prototype, byte_range)

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Read a file, as it was written last."""
        if key not in self._waiting:
            return super().get_sync(key, prototype=prototype, byte_range=byte_range)
        beside = LocalStore(self.root.parent, read_only=True)
        return beside.get_sync(self._waiting[key].name, prototype=prototype, byte_range=byte_range)

    async def exists(self, key: str) -> bool:
        """Return whether a file is there or about to be."""
        return key in self._waiting or await super().exists(key)

    async def delete(self, key: str) -> None:
        """Remove a file, at once."""
        self._forget(key)
        await super().delete(key)
        self._changed.add((self.root / key).parent)

    def sync(self) -> None:
        """Bring everything that was written into the group, such that nothing can take it away any more."""
        with ThreadPoolExecutor(SYNC_THREADS) as threads:
            list(threads.map(self._force, self._waiting.values()))
            for key in sorted(self._waiting, key=self._order):
                target = self.root / key
                self._note_folders(target.parent)
                self._rename(self._waiting[key], target)
                del self._waiting[key]
            list(threads.map(self._force, sorted(folder for folder in self._changed if folder.is_dir())))
        self._changed.clear()

    def _order(self, key: str) -> tuple[int, int, str]:
        """Return a sort key: new groups and arrays from the root down, then chunks, then old metadata."""
        kind = 1 if not key.endswith("zarr.json") else 2 if (self.root / key).exists() else 0
        return kind, key.count("/"), key

    def discard(self) -> None:
        """Forget the writes since the last `sync`."""
        for key in list(self._waiting):
            self._forget(key)

    # The three things that are done to files; tests let each of them fail.

    def _write(self, key: str, value: Buffer) -> None:
        partial = self._beside()
        try:
            partial.write_bytes(value.as_buffer_like())
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        self._forget(key)
        self._waiting[key] = partial

    def _force(self, path: Path) -> None:
        force(path)

    def _rename(self, partial: Path, target: Path) -> None:
        partial.replace(target)

    def _beside(self) -> Path:
        """Return a new path beside the group: Zarr and xarray warn of files in it that they do not know."""
        return self.root.with_name(f"{self.root.name}.{os.getpid()}-{next(self._numbers)}.partial")

    def _forget(self, key: str) -> None:
        if key in self._waiting:
            self._waiting.pop(key).unlink(missing_ok=True)

    def _note_folders(self, folder: Path) -> None:
        """Make the folder, and remember it and each folder above it that was made now."""
        self._changed.add(folder)
        if not folder.is_dir():
            self._note_folders(folder.parent)
            folder.mkdir(exist_ok=True)


def remove_partials(root: Path) -> None:
    """Remove the unfinished files of a writer that was killed."""
    for partial in root.parent.glob(f"{root.name}.*.partial"):
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)
