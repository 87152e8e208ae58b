"""What a model is asked about: pictures and videos from files, folders, patterns and cameras."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Union

import cv2
import numpy as np

from evaluation import pictures
from evaluation.errors import BadPicture
from evaluation.pictures import Picture

VIDEOS: Final = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv"})
_USUAL_RATE: Final = 25.0  # frames a second, where a camera does not say


@dataclass(frozen=True)
class Still:
    """One picture in a file."""

    path: Path

    @property
    def name(self) -> str:
        """What it is called when it is written again."""
        return self.path.name

    def frames(self) -> Iterator[Picture]:
        """The picture; BadPicture when it is missing or none."""
        yield pictures.read(self.path)

    @property
    def total(self) -> int | None:
        """One frame."""
        return 1


@dataclass(frozen=True)
class Video:
    """A video file, or a camera by its number."""

    source: Path | int

    @property
    def name(self) -> str:
        """What it is called when it is written again."""
        return f"camera{self.source}.mp4" if isinstance(self.source, int) else f"{self.source.stem}.mp4"

    @property
    def total(self) -> int | None:
        """How many frames it has, as far as it says; a camera has no end."""
        counted = int(self._told[0])
        return counted if counted > 0 else None

    @property
    def rate(self) -> float:
        """Frames a second."""
        told = self._told[1]
        return told if 0 < told < 1000 else _USUAL_RATE

    @cached_property  # a camera that gives frames cannot be opened once more to be asked
    def _told(self) -> tuple[float, float]:
        """Its frames and their rate, as it tells them."""
        capture = self._open()
        try:
            return capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        finally:
            capture.release()

    def frames(self) -> Iterator[Picture]:
        """Every frame in its order; BadPicture when there is none."""
        capture = self._open()
        try:
            while True:
                there, frame = capture.read()
                if not there:
                    return
                yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
        finally:
            capture.release()

    def _open(self) -> Any:
        if isinstance(self.source, Path) and not self.source.exists():
            raise BadPicture(f"cannot read video {self.source}: no such file or directory")
        capture = cv2.VideoCapture(self.source if isinstance(self.source, int) else str(self.source))
        if not capture.isOpened():
            what = f"camera {self.source}" if isinstance(self.source, int) else f"{self.source}"
            raise BadPicture(f"{what} cannot be opened as a video; name a video file, or the number of a camera")
        return capture


Footage = Union[Still, Video]


def find(sources: Sequence[str]) -> list[Footage]:
    """Everything that files, folders (their pictures and videos), patterns and camera numbers stand for.

    Raises:
        BadPicture: a folder or pattern that holds no picture and no video.
    """
    return [each for source in sources for each in _of(source)]


def _of(source: str) -> list[Footage]:
    path = Path(source)
    if source.isascii() and source.isdigit() and not path.exists():
        return [Video(int(source))]
    if path.is_dir():
        return _among(sorted(path.iterdir()), f"folder {source}")
    if glob.has_magic(source) and not path.exists():
        return _among(sorted(Path(each) for each in glob.glob(source, recursive=True)), f"pattern {source}")
    return [_file(path)]


def _among(paths: Sequence[Path], where: str) -> list[Footage]:
    found = [_file(path) for path in paths if path.is_file() and path.suffix.lower() in VIDEOS | pictures.ENDINGS]
    if not found:
        raise BadPicture(f"no pictures or videos in {where}; name files, folders, patterns or the number of a camera")
    return found


def _file(path: Path) -> Footage:
    return Video(path) if path.suffix.lower() in VIDEOS else Still(path)
