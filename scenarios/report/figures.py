"""Figures of a run inside its page: PNG and SVG files as addresses that hold the picture itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ethospike.scenarios.report.page.html import Markup, element, joined

TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
BEGINNINGS = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8"}
BUDGET = 2_300_000
"""Bytes of all figures of a page together, as text; the rest of 5 MB is for the player and the tables."""
LARGEST_FILE = 30_000_000
COLORS = 96
"""Colors of a figure that is too large: enough for lines and maps."""
NARROWEST_PX = 500


@dataclass(frozen=True)
class Picture:
    """A figure of a page: its name, its type and its content."""

    name: str
    kind: str
    content: bytes

    @property
    def address(self) -> str:
        """The figure as a data address."""
        return f"data:{self.kind};base64,{base64.b64encode(self.content).decode('ascii')}"


def figures(folder: Path) -> Markup:
    """Return the figures of a folder as HTML; those that had to be left out are named."""
    shown, left_out = pictures(folder)
    parts = [
        element(
            "figure",
            Markup(element("img", src=picture.address, alt=f"figure {picture.name}")[: -len("</img>")]),
            element("figcaption", picture.name),
        )
        for picture in shown
    ]
    notes = [element("p", f"{name}: {why}", class_="note") for name, why in left_out]
    return joined([*parts, *notes])


def pictures(folder: Path) -> tuple[list[Picture], list[tuple[str, str]]]:
    """Return the figures of a folder, together within `BUDGET`, and name and reason of those left out.

    Scripts in an SVG file do not run, because it is shown as an image. Links are not followed: they may lead
    out of the run.
    """
    read: list[Picture] = []
    left_out: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*")) if folder.is_dir() and not folder.is_symlink() else []:
        kind = TYPES.get(path.suffix.lower())
        if kind is None or path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_size > LARGEST_FILE:
            left_out.append((path.name, "too large for a page; it is in the folder of the run"))
            continue
        content = path.read_bytes()
        if not content.startswith(BEGINNINGS.get(kind, b"")):
            left_out.append((path.name, "not a picture"))
            continue
        read.append(Picture(path.stem, kind, content))
    return _within_budget(read, left_out), left_out


def _within_budget(read: Sequence[Picture], left_out: list[tuple[str, str]]) -> list[Picture]:
    """Return figures of bounded size: the largest are reduced first, and left out if that does not help."""
    kept = list(read)
    while sum(_text_bytes(picture) for picture in kept) > BUDGET:
        largest = max(range(len(kept)), key=lambda number: len(kept[number].content))
        smaller = _reduced(kept[largest])
        if smaller is None:
            left_out.append((kept[largest].name, "too large for a page; it is in the folder of the run"))
            del kept[largest]
        else:
            kept[largest] = smaller
    return kept


def _text_bytes(picture: Picture) -> int:
    return -(-len(picture.content) // 3) * 4


def _reduced(picture: Picture) -> Picture | None:
    """Return a figure with fewer colors, then with fewer pixels; None if it cannot get smaller."""
    if picture.kind == "image/svg+xml":
        return None
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture.content)) as image:
            if image.mode == "P":
                width = round(image.width * 0.7)
                if width < NARROWEST_PX:
                    return None
                small = image.convert("RGB").resize(
                    (width, max(1, round(image.height * 0.7))), Image.Resampling.LANCZOS
                )
            else:
                small = image.convert("RGB")
            out = io.BytesIO()
            small.quantize(COLORS).save(out, "PNG", optimize=True)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # a damaged file
        return None
    return Picture(picture.name, "image/png", out.getvalue()) if out.tell() < len(picture.content) else None
