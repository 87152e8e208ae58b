"""Pictures in a folder a class."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from evaluation import pictures
from evaluation.datasets import fingerprints
from evaluation.datasets.limiting import spread
from evaluation.datasets.questions import ClassName, Dataset, Question
from evaluation.errors import BadDataset
from model_config.data import Data


def fits(path: Path) -> bool:
    """Two folders or more, and pictures in the first."""
    folders = subfolders(path)
    return len(folders) > 1 and any(each.suffix.lower() in pictures.ENDINGS for each in files(folders[0]))


def load(data: Data) -> Dataset:
    """Class by class, each in the order of its files' names; of a limited number every class has its share."""
    folders = subfolders(data.pictures or data.path)
    found = [(folder, path) for folder in folders for path in files(folder)]
    if not found:
        raise BadDataset(f"{data} holds no folders with pictures; put those of each class into a folder of its name")
    chosen = (found[place] for place in spread(len(found), data.limit))
    questions = tuple(_question(place, *each) for place, each in enumerate(chosen))
    classes = tuple(folder.name for folder in folders)
    return Dataset(f"pictures of {data}", questions, fingerprints.of(questions), classes=classes)


def subfolders(path: Path) -> list[Path]:
    """Those that are not hidden, by name."""
    entries = path.iterdir() if path.is_dir() else ()
    return sorted(each for each in entries if each.is_dir() and not each.name.startswith("."))


def files(folder: Path) -> list[Path]:
    """All that are not hidden, by name: what is no picture among them is told when it is asked."""
    return sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))


def _question(place: int, folder: Path, path: Path) -> Question:
    name = pictures.printable(f"{folder.name}/{path.name}")
    return Question(place, name, path, ClassName(folder.name), partial(pictures.read, path, upright=False))
