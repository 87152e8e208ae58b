"""Detection: a picture in, boxes with labels and scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from evaluation import labels
from evaluation.errors import BadAnswer
from evaluation.tasks.placing import Placement, Size, placed
from evaluation.tasks.scoring import Array, Arrays
from model_config.errors import SuiteError, near_miss
from model_config.signatures import Signature
from model_config.tasks import Decode

FIRST_CLASS = 1
# what the Object Detection API calls its outputs
_USUAL: Final = MappingProxyType(
    {
        "boxes": "detection_boxes",
        "classes": "detection_classes",
        "scores": "detection_scores",
        "number": "num_detections",
    }
)
_USUALLY: Final = Decode()
OUTPUTS = tuple(_USUAL.values())


class Detection(NamedTuple):
    """One thing that was found; a tuple, as answers hold hundreds and a dataclass takes twice as long to make.

    Attributes:
        box: ymin, xmin, ymax, xmax in pixels of the picture.
        number: the class as the model counts it.
        score: from 0 to 1.
    """

    box: tuple[float, float, float, float]
    number: int
    label: str
    score: float

    def to_json(self) -> dict[str, Any]:
        """As a plain object: score to 4 decimals, box to a tenth of a pixel."""
        return {"label": self.label, "score": round(self.score, 4), "box": [round(edge, 1) for edge in self.box]}


@dataclass(frozen=True)
class Detected:
    """What was found in one picture, best first."""

    detections: tuple[Detection, ...]

    def above(self, score: float) -> Detected:
        """Without those that score less."""
        return Detected(tuple(each for each in self.detections if each.score >= score))

    def to_json(self) -> dict[str, Any]:
        """As a plain object."""
        return {"detections": [detection.to_json() for detection in self.detections]}


def outputs(signature: Signature, how: Decode) -> tuple[str, ...]:
    """The outputs that are needed: boxes, scores, and where the model has them classes and number."""
    roles = _roles(how)
    missing = [name for name in roles.values() if name not in signature.outputs]
    if missing:
        raise SuiteError(
            f"this is no detector: it gives {', '.join(signature.outputs)}, but not {', '.join(missing)}; "
            f"{near_miss(missing[0], signature.outputs)} "
            "(decode.outputs says which are boxes, scores, classes and number)"
        )
    return tuple(roles.values())


def _roles(how: Decode) -> dict[str, str]:
    roles = {str(role): name for role, name in (how.outputs or _USUAL).items()}
    if not {"boxes", "scores"} <= roles.keys():
        raise SuiteError("decode.outputs: a detector has at least boxes and scores; name both")
    return roles


def decode(
    arrays: Arrays, sizes: Sequence[Size], known: Mapping[int, str], min_score: float, how: Decode = _USUALLY
) -> list[list[Detection]]:
    """The detections of each picture of a batch that it was asked about as it is, best first.

    Args:
        arrays: boxes [batch, n, 4], scores and classes [batch, n], number [batch], by output name.
        sizes: height and width of each picture in pixels.
        known: labels by class.
        min_score: what scores less is left out.

    Raises:
        BadAnswer: shapes that do not fit each other, or numbers that are none.
    """
    places = [placed(size, None, "stretch") for size in sizes]
    found = decode_placed(arrays, places, known, how, min_score)
    return [list(each.detections) for each in found]


def decode_placed(
    arrays: Arrays, places: Sequence[Placement], known: Mapping[int, str], how: Decode, min_score: float = 0.0
) -> list[Detected]:
    """The same for pictures that were put into the model's input in some way; boxes come back to the pictures."""
    boxes, scores, classes, counts = _checked(arrays, _roles(how), len(places))
    rows = zip(boxes, scores, classes, counts, places)
    return [_of_picture(b[:n], s[:n], c[:n], place, known, how, min_score) for b, s, c, n, place in rows]


def _checked(arrays: Arrays, roles: Mapping[str, str], pictures: int) -> tuple[Array, Array, Array, list[int]]:
    missing = [name for name in roles.values() if name not in arrays]
    if missing:
        raise BadAnswer(f"the answer lacks output {missing[0]}")
    boxes, scores = arrays[roles["boxes"]], arrays[roles["scores"]]
    if "classes" in roles:
        classes = arrays[roles["classes"]]
    else:  # a score for every class; what is shown is the best
        classes, scores = scores.argmax(-1), scores.max(-1)
    counts = np.asarray(arrays[roles["number"]] if "number" in roles else np.full(pictures, scores.shape[-1]))
    if boxes.shape != (*scores.shape, 4) or scores.shape != classes.shape or counts.size != pictures:
        raise BadAnswer(f"shapes do not fit: boxes {boxes.shape}, scores {scores.shape}, classes {classes.shape}")
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise BadAnswer("the answer holds NaN or infinite numbers")
    return boxes, scores, classes, counts.reshape(pictures).astype(int).tolist()


def _of_picture(
    boxes: Array,
    scores: Array,
    classes: Array,
    place: Placement,
    known: Mapping[int, str],
    how: Decode,
    min_score: float,
) -> Detected:
    # where a model fills up with nothing, its class is negative
    kept = np.flatnonzero((scores >= min_score) & (classes >= 0))
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    numbers = classes[kept].astype(int).tolist()
    names = {number: labels.name(known, number) for number in set(numbers)}
    edges = map(tuple, _edges(boxes[kept], place, how).tolist())
    rows = zip(edges, numbers, map(names.__getitem__, numbers), scores[kept].tolist())
    return Detected(tuple(map(Detection._make, rows)))


def _edges(boxes: Array, place: Placement, how: Decode) -> Array:
    """Boxes as ymin, xmin, ymax, xmax in pixels of the picture."""
    edges = boxes.astype(np.float64)
    if how.boxes == "xyxy":
        edges = edges[:, [1, 0, 3, 2]]
    if how.units == "share":
        edges = edges * (place.frame * 2)
    return place.back(edges)
