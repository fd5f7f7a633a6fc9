"""Data from elsewhere that a network is made of, for its description and for `run.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ethospike.errors import BrainError


@dataclass(frozen=True)
class DataSource:
    """Source, version and licence of data.

    Parameters
    ----------
    name : str
    version : str
        Release of the data, or the commit or package from which the files come.
    licence : str
    citation : str
        The publication to cite.
    url : str
    files : mapping of str to str
        SHA-256 of each file that was read.
    steps : tuple of str
        Choices that were made on the way from the files to the network, in their order.

    Raises
    ------
    BrainError
        When name, version, licence or citation is empty.
    """

    name: str
    version: str
    licence: str
    citation: str
    url: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("name", "version", "licence", "citation"):
            if not getattr(self, name):
                raise BrainError(f"DataSource.{name}: expected a text, got an empty one; write 'unknown'")

    def after(self, *steps: str) -> DataSource:
        """Return the source with further steps."""
        return dataclasses.replace(self, steps=(*self.steps, *steps))

    def described(self) -> dict[str, Any]:
        """Return the entries as plain values, for JSON."""
        return {**dataclasses.asdict(self), "files": dict(self.files), "steps": list(self.steps)}
