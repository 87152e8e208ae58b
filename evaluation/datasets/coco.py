"""Pictures with boxes around what is on them, in COCO's JSON."""

from __future__ import annotations

import contextlib
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from evaluation import pictures
from evaluation.datasets import fingerprints
from evaluation.datasets.questions import Dataset, Question
from evaluation.errors import BadDataset
from evaluation.pictures import Picture
from evaluation.tasks.detection import Detected, Detection
from model_config.data import Data

INSTANCES = "instances.json"
# what COCO's own files are called: instances_val2017.json, with the pictures in val2017
_PREFIX = "instances_"


def fits(path: Path) -> bool:
    """A folder with instances.json, or a JSON file."""
    return (path / INSTANCES).is_file() or path.suffix.lower() == ".json"


def load(data: Data) -> Dataset:
    """The pictures by COCO's ids, unlabelled where it has no boxes at all; BadDataset when it is no COCO file."""
    path = data.path / INSTANCES if data.path.is_dir() else data.path
    folder = data.pictures or _folder(path)
    try:
        index = _index(json.loads(path.read_text(encoding="utf-8-sig")))
        questions = tuple(_question(folder, index, image) for image in index.loadImgs(sorted(index.getImgIds())))
    except OSError as error:
        raise BadDataset(
            f"no labelled pictures at {data.path}: cannot read {path.name} there; name a folder with --data"
        ) from error
    # wrong JSON and text that is not in UTF-8 are ValueErrors too
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise BadDataset(f"{path} is not COCO's instances.json ({type(error).__name__}: {error})") from error
    if not questions:
        raise BadDataset(f"{path} lists no pictures")
    return Dataset(
        f"pictures of {data}", questions, fingerprints.of(questions, path), index=index if index.anns else None
    )


def _index(document: dict[str, Any]) -> COCO:
    """pycocotools' own index, of a file that may leave out what can be told from the rest."""
    index = COCO()
    whole = [_whole(number, each) for number, each in enumerate(document.get("annotations", ()), start=1)]
    index.dataset = {"categories": [], **document, "annotations": whole}
    with contextlib.redirect_stdout(io.StringIO()):  # it tells what it does
        index.createIndex()
    return index


def _whole(number: int, annotation: dict[str, Any]) -> dict[str, Any]:
    """With a number from 1 on, as pycocotools takes what matches number 0 for not matched."""
    _, _, width, height = annotation["bbox"]
    return {"area": width * height, "iscrowd": 0, **annotation, "id": number}


def _folder(path: Path) -> Path:
    """Where COCO's own download and most others have the pictures of an index."""
    named = path.stem[len(_PREFIX) :] if path.stem.startswith(_PREFIX) else "images"
    usual = [path.parent / "images", path.parent / named, path.parent.parent / named]
    return next((each for each in usual if each.is_dir()), usual[0])


def _question(folder: Path, index: Any, image: dict[str, Any]) -> Question:
    path = folder / image["file_name"]
    annotations = index.loadAnns(index.getAnnIds(imgIds=image["id"]))
    truth = Detected(tuple(_truth(index, annotation) for annotation in annotations)) if index.anns else None
    size = (image.get("height"), image.get("width"))
    return Question(image["id"], image["file_name"], path, truth, partial(_picture, path, size))


def _picture(path: Path, labelled: tuple[Any, Any]) -> Picture:
    """As it is stored, which is what COCO's boxes are drawn on; upright where only that is as large as the index says.

    TensorFlow, torchvision and pycocotools do not turn pictures either, but some tools that draw boxes do.
    """
    stored = pictures.read(path, upright=False)
    if stored.shape[:2] in (labelled, labelled[::-1]) and stored.shape[:2] != labelled:
        upright = pictures.read(path)
        return upright if upright.shape[:2] == labelled else stored
    return stored


def _truth(index: Any, annotation: dict[str, Any]) -> Detection:
    left, top, width, height = annotation["bbox"]
    number = annotation["category_id"]
    return Detection((top, left, top + height, left + width), number, index.cats[number]["name"], 1.0)
