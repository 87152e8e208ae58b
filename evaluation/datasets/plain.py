"""Pictures without labels: versions can only be held against each other."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from evaluation import pictures
from evaluation.datasets import fingerprints
from evaluation.datasets.folders import files
from evaluation.datasets.questions import Dataset, Question
from evaluation.errors import BadDataset
from model_config.data import Data


def fits(path: Path) -> bool:
    """A folder of pictures, or one with images/."""
    return path.is_dir() and any(each.suffix.lower() in pictures.ENDINGS for each in files(_folder(path)))


def load(data: Data) -> Dataset:
    """All files of the folder by name."""
    folder = data.pictures or _folder(data.path)
    paths = files(folder) if folder.is_dir() else [folder]
    if not paths:
        raise BadDataset(f"{folder} holds no pictures; put some there, or name another folder with --data")
    questions = tuple(
        Question(place, pictures.printable(path.name), path, None, partial(pictures.read, path))
        for place, path in enumerate(paths)
    )
    return Dataset(f"pictures of {data}", questions, fingerprints.of(questions))


def _folder(path: Path) -> Path:
    return path / "images" if (path / "images").is_dir() else path
