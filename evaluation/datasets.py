"""Labelled pictures on disk, in COCO's format."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from evaluation.errors import BadDataset
from evaluation.tasks.detection import Detection

INSTANCES = "instances.json"


@dataclass(frozen=True)
class LabelledPicture:
    """One picture of a data set: its id there, its file, and what is on it (score 1)."""

    id: int
    path: Path
    truth: tuple[Detection, ...]


@dataclass(frozen=True)
class CocoDataset:
    """A folder with ``instances.json`` and ``images/``.

    Attributes:
        index: pycocotools' own, for its metric.
    """

    index: Any
    pictures: tuple[LabelledPicture, ...]


def load(folder: Path) -> CocoDataset:
    """Read a data set's index; BadDataset when it is missing, no COCO file, or names pictures that are not there."""
    path = folder / INSTANCES
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools greets
            index = COCO(str(path))
        pictures = tuple(_picture(folder, index, image) for image in index.loadImgs(sorted(index.getImgIds())))
    except OSError as error:
        raise BadDataset(
            f"no labelled pictures at {folder}: cannot read {path.name} there; name a folder with --data"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, AssertionError, KeyError) as error:
        raise BadDataset(f"{path} is not COCO's instances.json ({type(error).__name__}: {error})") from error
    if not pictures:
        raise BadDataset(f"{path} lists no pictures")
    for picture in pictures:
        if not picture.path.exists():
            raise BadDataset(f"{path} lists {picture.path.name}, but {picture.path} does not exist")
    return CocoDataset(index, pictures)


def _picture(folder: Path, index: Any, image: dict[str, Any]) -> LabelledPicture:
    annotations = index.loadAnns(index.getAnnIds(imgIds=image["id"]))
    truth = tuple(_truth(index, annotation) for annotation in annotations)
    return LabelledPicture(image["id"], folder / "images" / image["file_name"], truth)


def _truth(index: Any, annotation: dict[str, Any]) -> Detection:
    left, top, width, height = annotation["bbox"]
    number = annotation["category_id"]
    return Detection((top, left, top + height, left + width), number, index.cats[number]["name"], 1.0)
