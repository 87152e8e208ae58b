"""Non-maximum suppression for a whole batch and all classes at once, as operations to put into a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import tensorflow as tf

ROLES: Final = ("boxes", "scores", "classes", "count")
_NOTHING: Final = float("-inf")


@dataclass(frozen=True)
class Clip:
    """How boxes are cut off at a window.

    Attributes:
        window: ``ymin, xmin, ymax, xmax``; None where the graph computes one for each picture.
        when: before boxes suppress each other, or after.
        prune: whether boxes of which nothing is left are dropped.
        relative: whether coordinates are counted from the window's corner, in its sizes.
    """

    window: tuple[float, float, float, float] | None
    when: Literal["before", "after"]
    prune: bool = False
    relative: bool = False

    def __str__(self) -> str:
        where = "a window of each picture" if self.window is None else ", ".join(f"{edge:g}" for edge in self.window)
        further = (", dropped where nothing is left" * self.prune) + (", relative to it" * self.relative)
        return f"cut off at {where} {self.when} suppression{further}"


@dataclass(frozen=True)
class Suppression:
    """What is kept of all boxes.

    Attributes:
        iou: boxes that overlap a better one of their class more than this are dropped.
        score: so are boxes that score no more than this.
        per_class: how many are kept of one class.
        total: how many are kept, and rows answered.
        candidates: how many anchors are looked at, those with the best scores. Whatever scores more than
            the last of them is as it would be without this limit, as only better boxes can suppress it.
        first_class: the number of the first class.
        padding: what stands in the rows that hold no box, by role.
    """

    iou: float
    score: float
    per_class: int
    total: int
    candidates: int
    clip: Clip | None = None
    first_class: float = 0.0
    padding: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        limits = f"{self.per_class} a class, {self.total} in all, of the best {self.candidates} anchors"
        clip = f"boxes {self.clip}" if self.clip else "boxes as they are"
        return f"IoU {self.iou:.4g}, score {self.score:.4g}, {limits}, classes from {self.first_class:g}, {clip}"


def suppress(rule: Suppression, boxes: Any, scores: Any, window: Any = None) -> dict[str, Any]:
    """The kept boxes by role, of ``boxes`` [batch, anchors, (classes,) 4] and ``scores`` [batch, anchors, classes].

    ``window`` is [batch, 4], needed where the rule cuts boxes off and does not say where.
    """
    boxes = boxes[:, :, tf.newaxis] if boxes.shape.rank == 3 else boxes
    after = rule.clip is not None and rule.clip.when == "after"
    if rule.clip and not after:
        boxes, scores = _clipped(rule.clip, boxes, scores, window)
    boxes, scores = _best_anchors(boxes, scores, rule.candidates)
    # nothing is left out yet if something may be lost by cutting off
    total = rule.per_class * scores.shape[-1] if after else rule.total
    found = tf.image.combined_non_max_suppression(
        boxes, scores, rule.per_class, total, rule.iou, rule.score, clip_boxes=False
    )
    kept = dict(zip(ROLES, found))
    return _padded(rule, _cut_off(rule, kept, window) if after else kept)


def _clipped(clip: Clip, boxes: Any, scores: Any, window: Any) -> tuple[Any, Any]:
    """Boxes cut off, and what is lost by that with a score that nothing counts."""
    if clip.window is not None:
        window = tf.constant(clip.window)
    else:
        window = tf.reshape(window, (-1, *[1] * (boxes.shape.rank - 2), 4))
    first, last = window[..., :2], window[..., 2:]
    low, high = (tf.maximum(tf.minimum(part, last), first) for part in (boxes[..., :2], boxes[..., 2:]))
    if clip.prune:
        scores = tf.where(tf.reduce_prod(high - low, -1) > 0, scores, _NOTHING)
    boxes = tf.concat([low, high], -1)
    if clip.relative:
        boxes = (boxes - tf.concat([first, first], -1)) / tf.concat([last - first] * 2, -1)
    return boxes, scores


def _best_anchors(boxes: Any, scores: Any, candidates: int) -> tuple[Any, Any]:
    anchors = scores.shape[1] if scores.shape[1] is not None else tf.shape(scores)[1]
    count = tf.minimum(candidates, anchors) if tf.is_tensor(anchors) else min(candidates, anchors)
    best = tf.math.top_k(tf.reduce_max(scores, -1), count, sorted=False).indices
    # in the order they came in, which decides between equal scores
    best = -tf.math.top_k(-best, count).values
    return tf.gather(boxes, best, batch_dims=1), tf.gather(scores, best, batch_dims=1)


def _cut_off(rule: Suppression, kept: dict[str, Any], window: Any) -> dict[str, Any]:
    assert rule.clip is not None
    scores = tf.where(_valid(kept), kept["scores"], _NOTHING)
    boxes, scores = _clipped(rule.clip, kept["boxes"], scores, window)
    scores, best = tf.math.top_k(scores, rule.total)
    return {
        "boxes": tf.gather(boxes, best, batch_dims=1),
        "scores": scores,
        "classes": tf.gather(kept["classes"], best, batch_dims=1),
        "count": tf.reduce_sum(tf.cast(scores > _NOTHING, tf.int32), -1),
    }


def _valid(kept: dict[str, Any]) -> Any:
    return tf.range(tf.shape(kept["scores"])[1]) < kept["count"][:, tf.newaxis]


def _padded(rule: Suppression, kept: dict[str, Any]) -> dict[str, Any]:
    valid = _valid(kept)
    rows = {**kept, "classes": kept["classes"] + rule.first_class}
    mask = {"boxes": valid[..., tf.newaxis], "scores": valid, "classes": valid}
    padded = {role: tf.where(mask[role], rows[role], rule.padding.get(role, 0.0)) for role in mask}
    return {**padded, "count": kept["count"]}


def built(rule: Suppression, shapes: Mapping[str, Any], types: Mapping[str, Any]) -> Any:
    """A graph of its own: placeholders called as in ``shapes``, outputs called by their roles and of these types."""
    graph = tf.Graph()
    with graph.as_default():
        given = [tf.compat.v1.placeholder(tf.float32, shape, name) for name, shape in shapes.items()]
        with tf.name_scope("suppress"):
            kept = suppress(rule, *given)
            kept = {role: tf.cast(tensor, types.get(role, tensor.dtype)) for role, tensor in kept.items()}
        for role, tensor in kept.items():
            tf.identity(tensor, role)
    return graph
