"""COCO's average precision: boxes are matched by pycocotools once, and questions can be drawn again without it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from evaluation.datasets.questions import Dataset, Question
from evaluation.tasks.detection import Detected, Detection

Array = np.ndarray[Any, Any]

# which of the thresholds of overlap count, .50 to .95 in steps of .05
_METRICS: Final = MappingProxyType({"mAP": slice(None), "mAP@0.5": slice(0, 1), "mAP@0.75": slice(5, 6)})
_THRESHOLDS: Final = 10
_CHUNK: Final = 64  # pictures matched at a time, as pycocotools keeps a lot of each


class _Found(NamedTuple):
    """The detections of one class in some picture, best first.

    Attributes:
        right: [thresholds, n], whether each hit a box.
        ignored: [thresholds, n], where what it hit counts for nothing, such as a crowd.
    """

    picture: int
    scores: Array
    right: Array
    ignored: Array


@dataclass
class _Ranked:
    """All detections of one class, best first; made when all pictures are there.

    Attributes:
        pictures: [n], the place of the picture of each.
        right: for each threshold, which of the n hit a box.
        ignored: for each threshold, which of the n count for nothing.
        boxes: [pictures of the data set], how many of the class there are to be found.
    """

    pictures: Array
    right: Sequence[Array]
    ignored: Sequence[Array]
    boxes: Array

    def precision(self, counts: Array, recalls: Array) -> Array:
        """At each threshold and recall, as pycocotools counts; -1 where there is nothing to be found.

        Recall only rises where a box is hit, so precision is looked at there alone, which is a small part of all.
        """
        found = np.full((len(self.right), len(recalls)), -1.0)
        there = int(counts @ self.boxes)
        if not there:
            return found
        weights = counts[self.pictures]
        everything = np.cumsum(weights)
        for row, right, ignored in zip(found, self.right, self.ignored):
            hits = np.cumsum(weights[right])
            precision = hits / (_without(everything, weights, ignored)[right] + np.spacing(1))
            falling = np.maximum.accumulate(precision[::-1])[::-1]
            places = np.searchsorted(hits / there, recalls, side="left")
            row[:] = np.append(falling, 0.0)[places]  # recalls that are never reached
        return found


def _without(everything: Array, weights: Array, ignored: Array) -> Array:
    """How many there are up to each, less those that are ignored."""
    if not len(ignored):
        return everything
    less = np.zeros_like(weights)
    less[ignored] = weights[ignored]
    return np.asarray(everything - np.cumsum(less))


@dataclass
class AveragePrecision:
    """Detections of one version held against the boxes of a data set; as in COCO, at most 100 a class and picture.

    Attributes:
        first: the metric that the goal is about.
    """

    dataset: Dataset
    first: str = "mAP"
    _waiting: list[tuple[int, Sequence[Detection]]] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)
    _found: dict[int, list[_Found]] = field(default_factory=dict)
    _boxes: dict[int, dict[int, int]] = field(default_factory=dict)
    _ready: dict[int, _Ranked] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """COCO's three, the wanted one first."""
        return (self.first, *(name for name in _METRICS if name != self.first))

    def add(self, question: Question, truth: Any, said: Any) -> None:
        """One picture's detections; the truth is in the data set's own index."""
        assert isinstance(said, Detected)
        self._places[question.id] = len(self._places)
        self._waiting.append((question.id, said.detections))
        if len(self._waiting) >= _CHUNK:
            self._match()

    def __len__(self) -> int:
        """Pictures."""
        return len(self._places)

    def values(self) -> Array:
        """mAP over all thresholds, at .50 and at .75."""
        return self.drawn(np.ones(len(self), int))

    def drawn(self, counts: Array) -> Array:
        """The same as if each picture had been there so many times."""
        precision = self._precision(counts)
        return np.array([_mean(precision[_METRICS[name]]) for name in self.names])

    def per_class(self) -> Mapping[str, float]:
        """The first metric by label, of the classes that are there to be found."""
        names = {number: str(each["name"]) for number, each in self.dataset.index.cats.items()}
        precision = self._precision(np.ones(len(self), int))[_METRICS[self.first]]
        found = {names[number]: _mean(precision[:, :, place]) for place, number in enumerate(self._ranked)}
        return {name: value for name, value in found.items() if not np.isnan(value)}

    def _precision(self, counts: Array) -> Array:
        """[thresholds, recalls, classes], -1 where a class is not there."""
        recalls = np.linspace(0.0, 1.0, 101)
        return np.stack([each.precision(counts, recalls) for each in self._ranked.values()], axis=-1)

    @property
    def _ranked(self) -> dict[int, _Ranked]:
        """Every class of the data set."""
        if self._ready is None:
            self._match()
            self._ready = {number: self._rank(number) for number in sorted(self.dataset.index.cats)}
        return self._ready

    def _rank(self, number: int) -> _Ranked:
        found = self._found.get(number, [])
        boxes = np.zeros(len(self), int)
        for place, there in self._boxes.get(number, {}).items():
            boxes[place] = there
        if not found:
            nothing = [np.zeros(0, int)] * _THRESHOLDS
            return _Ranked(np.zeros(0, int), nothing, nothing, boxes)
        order = np.argsort(-np.concatenate([each.scores for each in found]), kind="mergesort")  # as pycocotools
        right = np.concatenate([each.right for each in found], axis=1)[:, order]
        ignored = np.concatenate([each.ignored for each in found], axis=1)[:, order]
        pictures = np.concatenate([np.full(len(each.scores), each.picture) for each in found])[order]
        return _Ranked(pictures, _places(right & ~ignored), _places(ignored), boxes)

    def _match(self) -> None:
        """Let pycocotools match the boxes of the pictures that wait, and keep what came of it."""
        if not self._waiting:
            return
        self._ready = None
        with contextlib.redirect_stdout(io.StringIO()):  # it tells how long it takes
            evaluation = COCOeval(self.dataset.index, _results(self.dataset.index, self._waiting), "bbox")
            evaluation.params.imgIds = [picture for picture, _ in self._waiting]
            # any size of box; the other sizes are not told, and take thrice the time
            evaluation.params.areaRng, evaluation.params.areaRngLbl = evaluation.params.areaRng[:1], ["all"]
            evaluation.evaluate()
        for each in evaluation.evalImgs:
            if each is not None:
                self._keep(each)
        self._waiting.clear()

    def _keep(self, matched: Mapping[str, Any]) -> None:
        number, place = matched["category_id"], self._places[matched["image_id"]]
        self._boxes.setdefault(number, {})[place] = int(np.sum(~np.asarray(matched["gtIgnore"], bool)))
        if len(matched["dtScores"]):
            right, ignored = matched["dtMatches"] != 0, np.asarray(matched["dtIgnore"], bool)
            found = _Found(place, np.array(matched["dtScores"]), right, ignored)
            self._found.setdefault(number, []).append(found)


def _places(flags: Array) -> list[Array]:
    return [np.flatnonzero(row) for row in flags]


def average_precision(dataset: Dataset, found: Mapping[int, Sequence[Detection]], metric: str) -> float:
    """COCO's mAP (over IoU .50 to .95), mAP@0.5 or mAP@0.75 of detections by the questions' ids."""
    evidence = AveragePrecision(dataset, metric)
    for question in dataset.questions:
        evidence.add(question, question.label, Detected(tuple(found[question.id])))
    return float(evidence.values()[0])


def _results(index: Any, found: Sequence[tuple[int, Sequence[Detection]]]) -> Any:
    rows = [_coco(picture, each) for picture, detections in found for each in detections]
    if rows:
        return index.loadRes(rows)
    empty = COCO()  # loadRes refuses an empty list
    empty.dataset = {"images": index.dataset["images"], "categories": index.dataset["categories"], "annotations": []}
    empty.createIndex()
    return empty


def _coco(picture: int, detection: Detection) -> dict[str, Any]:
    ymin, xmin, ymax, xmax = detection.box
    bbox = [xmin, ymin, xmax - xmin, ymax - ymin]
    return {"image_id": picture, "category_id": detection.number, "bbox": bbox, "score": detection.score}


def _mean(precision: Array) -> float:
    told = precision[precision > -1]
    return float(np.mean(told)) if told.size else float("nan")
