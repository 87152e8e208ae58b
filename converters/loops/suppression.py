"""Non-maximum suppression for a whole batch and all classes at once, as operations to put into a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import tensorflow as tf

ROLES: Final = ("boxes", "scores", "classes", "count")
_NOTHING: Final = float("-inf")
_CLASSES_EACH: Final = 4


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
        candidates: how many anchors are looked at, those with the best scores, and on average in four of their
            classes. Whatever scores more than the last of them is as it would be without this limit, as only
            better boxes can suppress it.
        first_class: the number of the first class.
        padding: what stands in the rows that hold no box, by role.
        engine: in operations that TensorRT takes. It finds the best anchors of floats, best first, so that of
            boxes with equal scores others may be kept.
    """

    iou: float
    score: float
    per_class: int
    total: int
    candidates: int
    clip: Clip | None = None
    first_class: float = 0.0
    padding: dict[str, float] = field(default_factory=dict)
    engine: bool = False

    def __str__(self) -> str:
        limits = f"{self.per_class} a class, {self.total} in all, of the best {self.candidates} anchors"
        clip = f"boxes {self.clip}" if self.clip else "boxes as they are"
        return f"IoU {self.iou:.4g}, score {self.score:.4g}, {limits}, classes from {self.first_class:g}, {clip}"


def suppress(rule: Suppression, given: Mapping[str, Any]) -> dict[str, Any]:
    """The kept boxes by role.

    Args:
        rule: which boxes are kept.
        given: ``boxes`` [batch, anchors, (classes,) 4]; ``scores`` [batch, anchors, classes]; ``window`` [batch, 4]
            where the rule cuts boxes off and does not say where; and under any other name a further property of
            the anchors [batch, anchors, ...], which is answered for the kept boxes under that name.
    """
    given = dict(given)
    boxes, scores, window = given.pop("boxes"), given.pop("scores"), given.pop("window", None)
    boxes = tf.expand_dims(boxes, 2) if boxes.shape.rank == 3 else boxes
    after = rule.clip is not None and rule.clip.when == "after"
    if rule.clip and not after:
        boxes, scores = _clipped(rule.clip, boxes, scores, window)
    anchors = _best_anchors(rule, scores)
    boxes, scores = (tf.gather(each, anchors, batch_dims=1) for each in (boxes, scores))
    if not rule.engine:
        scores = _best_only(scores, rule.candidates * _CLASSES_EACH)
    # nothing is left out yet if something may be lost by cutting off
    total = max(rule.total, rule.per_class * scores.shape[-1]) if after else rule.total
    found = tf.image.combined_non_max_suppression(
        boxes, scores, rule.per_class, total, rule.iou, rule.score, clip_boxes=False
    )
    kept = dict(zip(ROLES, found))
    best = kept
    if after:
        best, kept = _cut_off(rule, kept, window)
    if given:
        anchors = tf.gather(anchors, _places(best, boxes, scores), batch_dims=1)
        kept |= {name: tf.gather(each, anchors, batch_dims=1) for name, each in given.items()}
    return _padded(rule, kept)


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


def _best_anchors(rule: Suppression, scores: Any) -> Any:
    anchors = scores.shape[1]
    count = min(rule.candidates, anchors) if anchors else tf.minimum(rule.candidates, tf.shape(scores)[1])
    best = tf.math.top_k(tf.reduce_max(scores, -1), count, sorted=rule.engine).indices
    if rule.engine:
        return best
    # in the order they came in, which decides between equal scores
    return -tf.math.top_k(-best, count).values


def _best_only(scores: Any, most: int) -> Any:
    """The best scores of a picture; the others count no longer, of which suppression would be slow."""
    flat = tf.reshape(scores, [tf.shape(scores)[0], -1])
    last = tf.math.top_k(flat, tf.minimum(most, tf.shape(flat)[1]), sorted=False).values
    least = tf.reduce_min(last, -1)[:, tf.newaxis, tf.newaxis]
    return tf.where(scores >= least, scores, _NOTHING)


def _cut_off(rule: Suppression, kept: dict[str, Any], window: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The boxes that are left after cutting off, before and after it."""
    assert rule.clip is not None
    scores = tf.where(_valid(kept), kept["scores"], _NOTHING)
    boxes, scores = _clipped(rule.clip, kept["boxes"], scores, window)
    scores, best = tf.math.top_k(scores, rule.total)
    count = tf.reduce_sum(tf.cast(scores > _NOTHING, tf.int32), -1)
    classes, *both = (tf.gather(each, best, batch_dims=1) for each in (kept["classes"], kept["boxes"], boxes))
    before, after = ({"boxes": each, "scores": scores, "classes": classes, "count": count} for each in both)
    return before, after


def _places(kept: dict[str, Any], boxes: Any, scores: Any) -> Any:
    """Where the kept boxes stand among the candidates, which CombinedNonMaxSuppression does not say."""
    classes = tf.cast(kept["classes"], tf.int32)
    of_class = tf.gather(tf.transpose(scores, [0, 2, 1]), classes, batch_dims=1)
    box = tf.transpose(boxes, [0, 2, 1, 3])
    box = box if box.shape[1] == 1 else tf.gather(box, classes, batch_dims=1)
    same_box = tf.reduce_all(tf.equal(box, kept["boxes"][:, :, tf.newaxis]), -1)
    same = same_box & tf.equal(of_class, kept["scores"][..., tf.newaxis])
    return tf.argmax(tf.cast(same, tf.int32), -1, tf.int32)


def _valid(kept: dict[str, Any]) -> Any:
    return tf.range(tf.shape(kept["scores"])[1]) < kept["count"][:, tf.newaxis]


def _padded(rule: Suppression, kept: dict[str, Any]) -> dict[str, Any]:
    rows = {**kept, "classes": kept["classes"] + rule.first_class}
    count = rows.pop("count")
    for role, value in rows.items():
        wanted = rule.padding.get(role, 0.0)
        if wanted != _padding_there(rule, role):
            valid = _valid(kept)
            mask = tf.reshape(valid, tf.concat([tf.shape(valid), [1] * (value.shape.rank - 2)], 0))
            rows[role] = tf.where(mask, value, tf.cast(wanted, value.dtype))
    return {**rows, "count": count}


def _padding_there(rule: Suppression, role: str) -> float | None:
    """What stands in rows without a box already; None where it is no certain number."""
    if role not in ROLES or (rule.clip is not None and rule.clip.when == "after"):
        return None
    return rule.first_class if role == "classes" else 0.0


def built(rule: Suppression, given: Mapping[str, Any], types: Mapping[str, Any]) -> Any:
    """A graph of its own, with outputs called by their roles.

    Args:
        rule: which boxes are kept.
        given: for everything that goes in (see ``suppress``) its type and shape; its placeholder is called ``given_``
            and its name.
        types: the types of outputs, where they are not those of the operations.
    """
    graph = tf.Graph()
    with graph.as_default():
        inputs = {name: tf.compat.v1.placeholder(*spec, f"given_{name}") for name, spec in given.items()}
        with tf.name_scope("suppress"):
            kept = suppress(rule, inputs)
            kept = {role: tf.cast(value, types.get(role, value.dtype)) for role, value in kept.items()}
        for role, value in kept.items():
            tf.identity(value, role)
    return graph
