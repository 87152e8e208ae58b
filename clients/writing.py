"""Annotated pictures and videos on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import cv2

from clients.footage import VIDEOS, Footage, Still
from evaluation import pictures
from evaluation.errors import BadPicture
from evaluation.pictures import Picture
from model_config.errors import SuiteError


def targets(footage: Sequence[Footage], output: Path) -> list[Path]:
    """Where each is written: into the one file that was named, or below the folder.

    Raises:
        SuiteError: two would be written into one file.
    """
    if len(footage) == 1 and output.suffix and not output.is_dir():
        return [output]
    names = [each.name for each in footage]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SuiteError(f"two of the pictures are called {twice}; ask about them one after the other")
    return [output / name for name in names]


class Writer(Protocol):
    """What takes the frames of one picture or video."""

    def write(self, picture: Picture) -> None:
        """Take the next frame."""

    def close(self) -> None:
        """Leave a whole file."""


class Album:
    """Where the frames of one picture or video after the other are drawn; closed by ``with``."""

    def __init__(self, footage: Sequence[Footage], output: Path | None) -> None:
        """See ``targets``; without an output nothing is written."""
        self._footage = footage
        self._targets = targets(footage, output) if output else None
        self._place = -1
        self._writer: Writer | None = None

    def write(self, place: int, draw: Callable[[], Picture]) -> None:
        """Take the next frame of the picture or video at ``place``; it is only drawn when it is wanted."""
        if self._targets is None:
            return
        if self._writer is None or place != self._place:
            self.close()
            self._place, self._writer = place, _writer(self._footage[place], self._targets[place])
        self._writer.write(draw())

    def close(self) -> None:
        """Leave whole files, also when it is broken off in the middle of a video."""
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Album:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _writer(footage: Footage, path: Path) -> Writer:
    if isinstance(footage, Still):
        return _PictureFile(path)
    if path.suffix.lower() not in VIDEOS:
        raise BadPicture(f"no video format ends in {path.suffix!r}; use .mp4")
    return _VideoFile(path, footage.rate)


class _PictureFile:
    """One picture."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, picture: Picture) -> None:
        pictures.write(picture, self._path)

    def close(self) -> None:
        """Nothing is open."""


class _VideoFile:
    """A video; the file is made with the first frame, whose size it has."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path = path
        self._rate = rate
        self._writer: Any = None

    def write(self, picture: Picture) -> None:
        if self._writer is None:
            self._writer = self._opened(picture)
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def _opened(self, picture: Picture) -> Any:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        height, width = picture.shape[:2]
        code = cv2.VideoWriter.fourcc(*("MJPG" if self._path.suffix.lower() == ".avi" else "mp4v"))
        made = cv2.VideoWriter(str(self._path), code, self._rate, (width, height))
        if not made.isOpened():
            raise BadPicture(f"cannot write the video {self._path}; use .mp4 or .avi, in a folder you may write to")
        return made

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()
