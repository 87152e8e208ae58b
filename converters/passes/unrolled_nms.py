"""CombinedNonMaxSuppression has no kernel for GPUs; as products of matrices it stays where the boxes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graph_edits import Edit, attribute
from converters.graphs import Graph, node_name
from converters.loops.patterns import Wiring, below
from converters.loops.trial import drawn_boxes, drawn_scores
from converters.registry import on_graphs, register
from converters.remarks import remark
from model_config.errors import BuildError

_OPERATION: Final = "CombinedNonMaxSuppression"
_OUTPUTS: Final = ("boxes", "scores", "classes", "count")
# that a box is dropped depends on what drops the box that would drop it, and so on: this long a chain is followed
_ROUNDS: Final = 24
_PICTURES: Final = 6
_ALIKE: Final = 1e-5
_NOTHING: Final = -1.0


@dataclass(frozen=True)
class _Rule:
    """The operation's own parameters, and how many pairs of box and class are looked at."""

    per_class: int
    total: int
    iou: float
    score: float
    clip: bool
    candidates: int

    def __str__(self) -> str:
        return f"IoU {self.iou:.4g}, {self.per_class} a class, {self.total} in all, of the best {self.candidates} pairs"


@register("unrolled_nms")
@on_graphs
def unrolled_nms(graph: Graph, candidates: str = "1024") -> Graph:
    """Suppress overlapping boxes in operations that GPUs have, as far as chains of 24 boxes.

    Args:
        graph: sizes that are always the same should be constants before, and anchors limited to some thousands.
        candidates: how many pairs of box and class are looked at, those with the best scores.
    """
    if not candidates.isdigit() or not int(candidates):
        raise BuildError(f"unrolled_nms takes the best pairs, as many as candidates says, not {candidates!r}")
    edit = Edit(graph)
    for node in [each for each in graph.graph_def.node if each.op == _OPERATION]:
        reason = _replaced(edit, edit.nodes[node.name], int(candidates))
        remark(f"{node.name} {reason}")
    return edit.done()


def _replaced(edit: Edit, node: Any, candidates: int) -> str:
    """Put other operations in its place; what was done, or why not."""
    boxes, scores = (edit.shape(tensor).as_list() for tensor in node.input[:2])
    numbers = [edit.constant(tensor) for tensor in node.input[2:6]]
    known = [number.item() for number in numbers if number is not None]
    if None in (*boxes[1:], *scores[1:]) or len(known) < len(numbers) or attribute(node, "pad_per_class", False).b:
        return "stays: its sizes are not known"
    pairs = min(candidates, scores[1] * scores[2])
    per_class, total, iou, score = known
    rule = _Rule(per_class, total, iou, score, bool(attribute(node, "clip_boxes", True).b), pairs)
    if rule.total > pairs:
        return f"stays: it answers {rule.total} boxes of {pairs}"
    made = _built(rule, boxes, scores)
    if not _answers_alike(node, rule, made, boxes, scores):
        return "stays: drawn boxes are not answered as it does"
    _splice(edit, node, made)
    return f"became {len(made.get_operations())} operations for GPUs: {rule}"


def _built(rule: _Rule, boxes: Sequence[int | None], scores: Sequence[int | None]) -> tf.Graph:
    graph = tf.Graph()
    with graph.as_default():
        given = tf.compat.v1.placeholder(tf.float32, [None, *boxes[1:]], "given_boxes")
        kept = _suppressed(rule, given, tf.compat.v1.placeholder(tf.float32, [None, *scores[1:]], "given_scores"))
        for name in _OUTPUTS:
            tf.identity(kept[name], name)
    return graph


def _suppressed(rule: _Rule, boxes: Any, scores: Any) -> dict[str, Any]:
    """The kept boxes, best first; rows without one are zeros.

    Args:
        boxes: [batch, anchors, 1 or classes, 4].
        scores: [batch, anchors, classes].
    """
    anchors, classes = scores.shape[1:]
    best, places = tf.math.top_k(tf.reshape(scores, [-1, anchors * classes]), rule.candidates)
    # tables instead of divisions of whole numbers, for which GPUs have no kernels
    numbers = tf.gather(np.tile(np.arange(classes, dtype=np.float32), anchors), places)
    if boxes.shape[2] == 1:
        places = tf.gather(np.repeat(np.arange(anchors, dtype=np.int32), classes), places)
    chosen = tf.gather(tf.reshape(boxes, [-1, anchors * boxes.shape[2], 4]), places, batch_dims=1)
    valid = tf.where(best > rule.score, 1.0, 0.0)
    kept = _kept(rule, _drops(rule, chosen, numbers), numbers, valid)
    return _rows(rule, chosen, best, numbers, kept)


def _drops(rule: _Rule, boxes: Any, numbers: Any) -> Any:
    """1 where the box of a column, if kept, drops that of a row; [batch, candidates, candidates]."""
    first, last = tf.minimum(boxes[..., :2], boxes[..., 2:]), tf.maximum(boxes[..., :2], boxes[..., 2:])
    area = tf.reduce_prod(last - first, -1)
    low = tf.maximum(tf.expand_dims(first, 2), tf.expand_dims(first, 1))
    high = tf.minimum(tf.expand_dims(last, 2), tf.expand_dims(last, 1))
    shared = tf.reduce_prod(tf.nn.relu(high - low), -1)
    union = tf.expand_dims(area, 2) + tf.expand_dims(area, 1) - shared
    overlap = tf.where(shared > rule.iou * union, 1.0, 0.0)
    apart = tf.abs(tf.expand_dims(numbers, 2) - tf.expand_dims(numbers, 1))
    better = np.tril(np.ones((rule.candidates, rule.candidates), np.float32), -1)[None]
    return overlap * tf.nn.relu(1.0 - apart) * better


def _kept(rule: _Rule, drops: Any, numbers: Any, valid: Any) -> Any:
    """1 for the boxes that stay; [batch, candidates]."""
    column = tf.expand_dims(valid, -1)
    kept = column
    for _ in range(_ROUNDS):
        # a box stays if no kept one drops it; what comes out no longer changes once chains are followed to their end
        kept = column * tf.nn.relu(1.0 - tf.matmul(drops, kept))
    if rule.per_class < rule.total:
        same = tf.nn.relu(1.0 - tf.abs(tf.expand_dims(numbers, 2) - tf.expand_dims(numbers, 1)))
        before = same * np.tril(np.ones((rule.candidates, rule.candidates), np.float32), -1)[None]
        kept = kept * tf.where(tf.matmul(before, kept) < rule.per_class - 0.5, 1.0, 0.0)
    return tf.squeeze(kept, -1)


def _rows(rule: _Rule, boxes: Any, scores: Any, numbers: Any, kept: Any) -> dict[str, Any]:
    # those kept come first, in their order, which is that of their scores
    order = kept * np.arange(rule.candidates, 0, -1, dtype=np.float32)[None]
    found, places = tf.math.top_k(order, rule.total)
    there = tf.where(found > 0.5, 1.0, 0.0)
    chosen = tf.gather(boxes, places, batch_dims=1)
    chosen = tf.clip_by_value(chosen, 0.0, 1.0) if rule.clip else chosen
    return {
        "boxes": chosen * tf.expand_dims(there, -1),
        "scores": tf.gather(scores, places, batch_dims=1) * there,
        "classes": tf.gather(numbers, places, batch_dims=1) * there,
        "count": tf.cast(tf.reduce_sum(there, -1), tf.int32),
    }


def _answers_alike(node: Any, rule: _Rule, made: tf.Graph, boxes: Sequence[Any], scores: Sequence[Any]) -> bool:
    """Whether drawn boxes are answered as the operation answers them."""
    draw = np.random.default_rng(1)
    given = drawn_boxes(draw, (_PICTURES, *boxes[1:]))
    rest = min(0.0, rule.score)
    # so many score that not all candidates are looked at in no picture
    worth = drawn_scores(draw, (_PICTURES, *scores[1:]), max(1, rule.candidates // 4), rest)
    with tf.compat.v1.Session(graph=made) as session:
        fed = {"given_boxes:0": given, "given_scores:0": worth}
        answers = session.run([f"{name}:0" for name in _OUTPUTS], fed)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        wanted = session.run(
            tf.image.combined_non_max_suppression(
                given, worth, rule.per_class, rule.total, rule.iou, rule.score, clip_boxes=rule.clip
            )
        )
    return all(np.allclose(answer, each, atol=_ALIKE) for answer, each in zip(answers, wanted))


def _splice(edit: Edit, node: Any, made: tf.Graph) -> None:
    scope = Wiring(edit.graph_def).free("unrolled_nms")
    for each in below(scope, made.as_graph_def(), {"given_boxes": node.input[0], "given_scores": node.input[1]}):
        edit.graph_def.node.append(each)
        edit.nodes[each.name] = edit.graph_def.node[-1]
    for reader in edit.readers[node.name]:
        reader.input[:] = [_instead(node.name, tensor, scope) for tensor in reader.input]


def _instead(name: str, tensor: str, scope: str) -> str:
    if node_name(tensor) != name or tensor.startswith("^"):
        return tensor
    return f"{scope}/{_OUTPUTS[int(tensor.partition(':')[2] or 0)]}"
