"""Fonts that know the letters of a label: Pillow's own for plain ones, else one of this machine's."""

from __future__ import annotations

import logging
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Union

from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

Font = Union[ImageFont.FreeTypeFont, ImageFont.ImageFont]

_FOLDERS: Final = (
    "~/.fonts",
    "~/.local/share/fonts",
    "/usr/local/share/fonts",
    "/usr/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
_ENDINGS: Final = frozenset({".ttf", ".otf", ".ttc"})
# with so little contrast to a picture plain upright letters read best
_LESS_PLAIN: Final = ("serif", "mono", "bold", "italic", "oblique", "condensed", "light", "thin", "black", "math")
# drawn as outlines, unlike the pictures of emoji fonts, which have one size only
_OUTLINES: Final = ("glyf", "CFF ", "CFF2")

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it remarks on harmless oddities of fonts


def font_for(text: str, size: int) -> Font | None:
    """A font of so many pixels that has every letter of a text; None when this machine has none."""
    if text.isascii():
        return ImageFont.load_default(size)
    path = _knowing(frozenset(ord(letter) for letter in text if not letter.isspace()))
    return None if path is None else ImageFont.truetype(path, size)


@cache
def _knowing(letters: frozenset[int]) -> str | None:
    return next((path for path in _installed() if letters <= _letters(path)), None)


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    """This machine's fonts, the plainest first."""
    found = (
        Path(folder, name)
        for root in _FOLDERS
        for folder, _, names in os.walk(os.path.expanduser(root))
        for name in names
        if Path(name).suffix.lower() in _ENDINGS
    )
    return tuple(str(path) for path in sorted(found, key=_plainness))


def _plainness(path: Path) -> tuple[int, str]:
    name = path.stem.lower().replace("sansserif", "sans")
    return sum(word in name for word in _LESS_PLAIN), name


@cache
def _letters(path: str) -> frozenset[int]:
    """What a font can draw; nothing when it cannot be read."""
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            drawable = any(table in font for table in _OUTLINES)
            return frozenset(font.getBestCmap() or ()) if drawable else frozenset()
    except (TTLibError, OSError, AssertionError, KeyError):
        return frozenset()
