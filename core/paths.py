"""Paths as users type them."""

from __future__ import annotations

import os
from pathlib import Path

from ethospike.errors import EthospikeError


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path with `~` expanded, and absolute, so that no library reads anything else into it.

    Raises
    ------
    EthospikeError
        When there is no home folder of the named user.

    Examples
    --------
    >>> user_path("~") == Path.home()
    True
    """
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise EthospikeError(
            f"{path}: there is no such home folder; write the folder in full, or ./{path} for a folder of "
            f"this name"
        ) from error
