"""CombinedNonMaxSuppression over every anchor: its time grows with boxes that cannot be among the best."""

from __future__ import annotations

from typing import Any, Final

import tensorflow as tf

from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.loops.patterns import Wiring, below
from converters.registry import on_graphs, register
from converters.remarks import remark
from model_config.errors import BuildError

_OPERATION: Final = "CombinedNonMaxSuppression"


@register("limit_candidates")
@on_graphs
def limit_candidates(graph: Graph, candidates: str = "3000") -> Graph:
    """Hand only the anchors with the best scores to CombinedNonMaxSuppression, where there are more.

    Whatever scores more than the last of them is as it would be without this limit, as only better boxes can
    suppress it.

    Args:
        graph: sizes that are always the same should be constants before.
        candidates: how many anchors; TensorRT finds the best 3840 at most, and suppresses among 4096 at most.
    """
    if not candidates.isdigit() or not int(candidates):
        raise BuildError(f"limit_candidates takes as many anchors as candidates says, not {candidates!r}")
    edit = Edit(graph)
    for node in [each for each in graph.graph_def.node if each.op == _OPERATION]:
        boxes, scores = (edit.shape(tensor) for tensor in node.input[:2])
        if scores.rank == 3 and boxes.rank == 4 and (scores[1] or 0) > int(candidates):
            _limit(edit, edit.nodes[node.name], (boxes, scores), int(candidates))
            remark(f"{node.name} looks at the best {candidates} of {scores[1]:,} anchors")
    return edit.done()


def _limit(edit: Edit, node: Any, shapes: tuple[Any, Any], candidates: int) -> None:
    boxes, scores = list(node.input[:2])
    made = _best(shapes, candidates)
    scope = Wiring(edit.graph_def).free("limit_candidates")
    for each in below(scope, made, {"given_boxes": boxes, "given_scores": scores}):
        edit.graph_def.node.append(each)
        edit.nodes[each.name] = edit.graph_def.node[-1]
    node.input[0], node.input[1] = f"{scope}/boxes", f"{scope}/scores"


def _best(shapes: tuple[Any, Any], candidates: int) -> Any:
    """Boxes and scores of the best anchors, as a graph of their own."""
    with tf.Graph().as_default() as made:
        boxes, scores = (
            tf.compat.v1.placeholder(tf.float32, shape, f"given_{name}")
            for name, shape in zip(("boxes", "scores"), shapes)
        )
        best = best_anchors(scores, candidates)
        tf.gather(boxes, best, batch_dims=1, name="boxes")
        tf.gather(scores, best, batch_dims=1, name="scores")
    return made.as_graph_def()


def best_anchors(scores: Any, candidates: int) -> Any:
    """Which anchors score best in any class, best first, [batch, candidates] of scores [batch, anchors, classes]."""
    return tf.math.top_k(tf.reduce_max(scores, -1), candidates).indices
