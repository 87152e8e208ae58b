"""Detection: a picture in, boxes with labels and scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation import labels
from evaluation.errors import BadAnswer
from evaluation.pictures import Picture
from model_config.errors import SuiteError
from model_config.signatures import Signature

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

OUTPUTS = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")


@dataclass(frozen=True)
class Detection:
    """One thing that was found.

    Attributes:
        box: ymin, xmin, ymax, xmax in pixels of the picture.
        number: the class as the model counts it, from 1.
        score: from 0 to 1.
    """

    box: tuple[float, float, float, float]
    number: int
    label: str
    score: float

    def to_json(self) -> dict[str, Any]:
        """As a plain object: score to 4 decimals, box to a tenth of a pixel."""
        return {"label": self.label, "score": round(self.score, 4), "box": [round(edge, 1) for edge in self.box]}


def input_name(signature: Signature) -> str:
    """The one input that takes pictures; SuiteError when this is no detector."""
    missing = [name for name in OUTPUTS if name not in signature.outputs]
    if missing:
        raise SuiteError(f"this is no detector: it gives {', '.join(signature.outputs)}, but not {', '.join(missing)}")
    if len(signature.inputs) != 1:
        raise SuiteError(f"a detector has one input, but this has {', '.join(signature.inputs)}")
    name, tensor = next(iter(signature.inputs.items()))
    if tensor.dtype != "uint8" or tensor.shape is None or len(tensor.shape) != 4:
        raise SuiteError(f"input {name} must be uint8 [batch, height, width, 3], not {tensor.dtype} {tensor.shape}")
    return name


def encode(pictures: Sequence[Picture]) -> Picture:
    """Pictures of one size as one batch, uint8 [batch, height, width, 3]."""
    sizes = sorted({picture.shape[:2] for picture in pictures})
    if len(sizes) > 1:
        raise SuiteError(f"pictures of one batch must have one size, not {', '.join(f'{w}x{h}' for h, w in sizes)}")
    return np.stack(pictures)


def decode(
    outputs: Arrays, sizes: Sequence[tuple[int, int]], names: Mapping[int, str], min_score: float
) -> list[list[Detection]]:
    """The detections of each picture of a batch, best first.

    Args:
        outputs: boxes [batch, n, 4] from 0 to 1, scores and classes [batch, n], number [batch].
        sizes: height and width of each picture in pixels.
        names: labels by class.
        min_score: what scores less is left out.

    Raises:
        BadAnswer: shapes that do not fit each other, or numbers that are none.
    """
    try:
        boxes, numbers, scores, counts = (outputs[name] for name in OUTPUTS)
    except KeyError as error:
        raise BadAnswer(f"the answer lacks output {error.args[0]}") from error
    if not boxes.shape == (*scores.shape, 4) or scores.shape != numbers.shape or len(counts) != len(sizes):
        raise BadAnswer(f"shapes do not fit: boxes {boxes.shape}, scores {scores.shape}, classes {numbers.shape}")
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise BadAnswer("the answer holds NaN or infinite numbers")
    rows = zip(boxes, numbers, scores, counts.astype(int), sizes)
    return [_of_picture(b[:n], c[:n], s[:n], size, names, min_score) for b, c, s, n, size in rows]


def _of_picture(
    boxes: Any, numbers: Any, scores: Any, size: tuple[int, int], names: Mapping[int, str], min_score: float
) -> list[Detection]:
    height, width = size
    pixels = boxes * np.array([height, width, height, width])
    found = [
        Detection(tuple(box), int(number), labels.name(names, int(number)), float(score))
        for box, number, score in zip(pixels.tolist(), numbers, scores)
        if score >= min_score
    ]
    return sorted(found, key=lambda detection: -detection.score)
