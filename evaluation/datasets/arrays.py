"""Arrays on disk as questions: mapped into memory, so that only the rows in use are there."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from evaluation.datasets.questions import Content, Label, Question
from evaluation.errors import BadDataset
from evaluation.pictures import Picture

Array = np.ndarray[Any, Any]

# rank of pictures one after the other, grey or in colours
_GREY, _COLOURED = 3, 4


def plain(stream: Any) -> IO[bytes]:
    """The content of a stream in a file without a name, which goes away by itself."""
    # not closed here: what is mapped from it lives on
    file = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        shutil.copyfileobj(stream, file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def opened(path: Path) -> IO[bytes]:
    """A file, unpacked where it is gzip; BadDataset where that fails."""
    if path.suffix != ".gz":
        return path.open("rb")
    try:
        with gzip.open(path) as stream:
            return plain(stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadDataset(f"{path} is damaged ({error}); fetch it again") from error


def mapped(file: IO[bytes], dtype: Any, shape: tuple[int, ...]) -> Array:
    """The rest of a file as an array; ValueError where there is less."""
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "r", file.tell(), shape)


def are_pictures(array: Array) -> bool:
    """Bytes in rows and columns, with one colour or three; all else goes to a model as it is."""
    return array.dtype == np.uint8 and (array.ndim == _GREY or (array.ndim == _COLOURED and array.shape[-1] in (1, 3)))


def question(place: int, arrays: Mapping[str, Array], label: Label | None) -> Question:
    """One row of the arrays, by input name."""
    return Question(place, f"row {place}", None, label, lambda: _content(place, arrays))


def _content(place: int, arrays: Mapping[str, Array]) -> Content:
    rows = {name: np.array(array[place]) for name, array in arrays.items()}
    only = next(iter(arrays.values()))
    return _picture(next(iter(rows.values()))) if len(rows) == 1 and are_pictures(only) else rows


def _picture(row: Array) -> Picture:
    if row.ndim == 3 and row.shape[-1] == 3:
        return row
    return np.asarray(cv2.cvtColor(row.reshape(row.shape[:2]), cv2.COLOR_GRAY2RGB), np.uint8)
