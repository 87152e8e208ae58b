"""How right a detector is (COCO's average precision), and how far two versions agree."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pycocotools.cocoeval import COCOeval

from evaluation.datasets import CocoDataset
from evaluation.tasks.detection import Detection

Box = tuple[float, float, float, float]

# where pycocotools puts each in its list of results
_PLACES: Final = MappingProxyType({"mAP": 0, "mAP@0.5": 1})

AGREE_SCORE: Final = 0.5  # what scores less is not shown to anybody
AGREE_IOU: Final = 0.5


def average_precision(dataset: CocoDataset, found: Mapping[int, Sequence[Detection]], metric: str) -> float:
    """COCO's mAP (over IoU .50 to .95) or mAP@0.5, from 0 to 1, of detections by id of the data set's pictures.

    Source: pycocotools, at most 100 detections a picture, every category of the data set.
    """
    rows = [_coco(picture, each) for picture, detections in found.items() for each in detections]
    if not rows:
        return 0.0  # pycocotools refuses an empty list
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its results
        evaluation = COCOeval(dataset.index, dataset.index.loadRes(rows), "bbox")
        evaluation.params.imgIds = [picture.id for picture in dataset.pictures]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[_PLACES[metric]])


def _coco(picture: int, detection: Detection) -> dict[str, Any]:
    ymin, xmin, ymax, xmax = detection.box
    bbox = [xmin, ymin, xmax - xmin, ymax - ymin]
    return {"image_id": picture, "category_id": detection.number, "bbox": bbox, "score": detection.score}


def agreement(reference: Sequence[Sequence[Detection]], other: Sequence[Sequence[Detection]]) -> float:
    """How far two versions show the same in the same pictures, from 0 to 1.

    Detections of score 0.5 or more count. Two are the same when their class is and their boxes overlap
    with an IoU of 0.5 or more; each is paired once, best score first. The result is the share of all
    detections of both that have a partner (1 when neither shows anything).
    """
    pairs = [(shown(ours), shown(theirs)) for ours, theirs in zip(reference, other)]
    total = sum(len(ours) + len(theirs) for ours, theirs in pairs)
    same = sum(_matches(ours, theirs) for ours, theirs in pairs)
    return 2 * same / total if total else 1.0


def shown(detections: Sequence[Detection]) -> list[Detection]:
    """The detections a user would be shown: those of score 0.5 or more."""
    return [each for each in detections if each.score >= AGREE_SCORE]


def _matches(ours: Sequence[Detection], theirs: Sequence[Detection]) -> int:
    free = list(theirs)
    for each in sorted(ours, key=lambda detection: -detection.score):
        partners = [one for one in free if one.number == each.number and iou(one.box, each.box) >= AGREE_IOU]
        if partners:
            free.remove(max(partners, key=lambda one: iou(one.box, each.box)))
    return len(theirs) - len(free)


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes (ymin, xmin, ymax, xmax)."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, height) * max(0.0, width)
    union = _area(one) + _area(other) - shared
    return shared / union if union > 0 else 0.0


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
