"""Pictures from files and back, as uint8 arrays [height, width, 3] in RGB."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from evaluation.errors import BadPicture

Picture = np.ndarray[Any, np.dtype[np.uint8]]

ENDINGS: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".jp2"}
)


def printable(path: Path | str) -> str:
    """A path or name as it can be shown everywhere, though a file's name may be any bytes."""
    return os.fsencode(path).decode("utf-8", "replace")


def read(path: Path, *, upright: bool = True) -> Picture:
    """Decode a picture file of any kind OpenCV knows; BadPicture when it is missing or none.

    Args:
        upright: turned as the camera was held, where the file says how (EXIF); as it is stored otherwise.
    """
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        data = np.fromfile(path, np.uint8)  # not cv2.imread, which cannot tell missing from unreadable
    except OSError as error:
        raise BadPicture(
            f"cannot read picture {printable(path)}: {(error.strerror or 'no such file').lower()}"
        ) from error
    try:
        picture = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:  # it says that it has more pixels than memory
        picture = None
    if picture is None:
        raise BadPicture(f"{printable(path)} is no picture that can be decoded (such as JPEG or PNG)")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def write(picture: Picture, path: Path) -> None:
    """Encode a picture by the file name's ending; BadPicture when no picture format has that ending."""
    content = encode(picture, path.suffix or path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def encode(picture: Picture, ending: str) -> bytes:
    """A picture as the bytes of a file, ``.jpg`` or ``.png`` say."""
    try:
        done, data = cv2.imencode(ending, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise BadPicture(f"no picture format ends in {ending!r}; use .jpg or .png")
    return bytes(data.tobytes())
