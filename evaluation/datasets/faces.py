"""Pairs of pictures that show the same or not, in the layout of Labeled Faces in the Wild (pairs.txt)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from evaluation import pictures
from evaluation.datasets import fingerprints
from evaluation.datasets.limiting import spread
from evaluation.datasets.questions import Dataset, Pair, Question, Subject
from evaluation.errors import BadDataset
from model_config.data import Data

FOLDS: Final = 10
_FILE: Final = "pairs.txt"
# what its own downloads unpack to
_FOLDERS: Final = ("lfw", "lfw_funneled", "lfw-deepfunneled", "lfw-funneled", "images")
_ENDINGS: Final = (".jpg", ".png", ".jpeg")
_SAME, _OTHER = 3, 4  # how many words a line has


def fits(path: Path) -> bool:
    """A pairs.txt, or a folder with one."""
    return (path / _FILE).is_file() or (path.is_file() and path.name.startswith("pairs"))


def load(data: Data) -> Dataset:
    """Every picture once, in the order in which pairs first name it; BadDataset when the file lists no pairs."""
    path = data.path / _FILE if data.path.is_dir() else data.path
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadDataset(f"{path} is not a text file in UTF-8 ({error.reason}); name LFW's pairs.txt") from error
    found = _Found(data.pictures or _folder(path.parent))
    first, per_fold = _counts(lines[0] if lines else "")
    listed = [(number, line.split()) for number, line in enumerate(lines, start=1) if number > first and line.strip()]
    # a pair has two pictures; of a limited number every fold has its share
    for place in spread(len(listed), -(-data.limit // 2) if data.limit else None):
        found.add(path, *listed[place], place, per_fold)
    if not found.pairs:
        raise BadDataset(f"{path} lists no pairs; a line is NAME N M for the same, or NAME N OTHER M")
    questions = tuple(found.questions)
    sha256 = fingerprints.of(questions, path)
    return Dataset(f"pictures of {data}", questions, sha256, pairs=tuple(found.pairs), unread=tuple(found.wrong))


def _folder(folder: Path) -> Path:
    return next((folder / name for name in _FOLDERS if (folder / name).is_dir()), folder)


def _counts(header: str) -> tuple[int, int | None]:
    """The first line's length, where it is a header, and how many pairs a fold has of either kind, if it says so."""
    words = header.split()
    if not words or len(words) > 2 or not all(word.isdigit() for word in words):
        return 0, None
    return 1, int(words[1]) if len(words) == 2 and int(words[0]) == FOLDS else None


@dataclass
class _Found:
    folder: Path
    questions: list[Question] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _places: dict[tuple[str, int], int] = field(default_factory=dict)

    def add(self, path: Path, number: int, words: list[str], place: int, per_fold: int | None) -> None:
        """One line, and its place among those that are pairs: two pictures of one name, or of two."""
        if len(words) not in (_SAME, _OTHER) or not (words[1] + words[-1]).isdigit():
            self.wrong.append(f"{path.name}, line {number}: it is no pair (NAME N M, or NAME N OTHER M)")
            return
        left = self._place(words[0], int(words[1]))
        right = self._place(words[-2] if len(words) == _OTHER else words[0], int(words[-1]))
        # LFW lists fold after fold, in each those that are the same before the others; without a header they go round
        fold = place // (2 * per_fold) if per_fold else place % FOLDS
        self.pairs.append(Pair(left, right, len(words) == _SAME, fold))

    def _place(self, name: str, number: int) -> int:
        if (name, number) not in self._places:
            self._places[name, number] = len(self.questions)
            self.questions.append(self._question(name, number))
        return self._places[name, number]

    def _question(self, name: str, number: int) -> Question:
        stem = self.folder / name / f"{name}_{number:04}"
        usual = [stem.with_name(stem.name + ending) for ending in _ENDINGS]
        path = next((each for each in usual if each.is_file()), usual[0])
        read = partial(pictures.read, path, upright=False)
        return Question(len(self.questions), f"{name}/{path.name}", path, Subject(name), read)
