"""Ask a graph with drawn inputs: what a rewrite does not prove, a trial shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graphs import Graph, imported

_SIDE: Final = 256  # pictures of any size are drawn as large as this
_SEED: Final = 1


class Trial:
    """A graph that answers drawn inputs; used with ``with``."""

    def __init__(self, graph: Graph, batch: int) -> None:
        """Load the graph, and draw ``batch`` pictures unless its inputs say how many it takes."""
        self._graph = imported(graph.graph_def)
        self._inputs = {info.name: _drawn(info, batch) for info in graph.signature.inputs.values()}
        self._session = tf.compat.v1.Session(graph=self._graph)
        if graph.set_up is not None:
            graph.set_up.run(self._session)

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def run(self, names: Sequence[str], instead: Mapping[str, Any] | None = None) -> list[Any]:
        """The values of tensors, with other tensors held at given values; tf.errors.OpError when it fails."""
        fed = {_full(name): value for name, value in {**self._inputs, **(instead or {})}.items()}
        return list(self._session.run([_full(name) for name in names], fed))

    def tensor(self, name: str) -> Any:
        """The tensor with what is known of its type and shape without running."""
        return self._graph.get_tensor_by_name(_full(name))


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _drawn(info: Any, batch: int) -> Any:
    shape, dtype = tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype)
    draw = np.random.default_rng(_SEED)
    usual = [batch, *[_SIDE] * 5]
    sizes = [known or size for known, size in zip(list(shape) if shape.rank else [], usual)]
    if dtype == tf.string:
        picture = draw.integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
        return np.full(sizes, tf.io.encode_png(picture).numpy(), object)
    if dtype.is_floating:
        return draw.random(sizes).astype(dtype.as_numpy_dtype)
    return draw.integers(0, 2 if dtype == tf.bool else 128, sizes).astype(dtype.as_numpy_dtype)


def drawn_boxes(draw: Any, shape: Sequence[int], size: float = 1.0) -> Any:
    """Boxes in and around a square: a third close to others, a third across its edge, a few empty or outside."""
    anchors = shape[1]
    middle, half = (draw.uniform(*limits, (*shape[:-1], 2)) for limits in ((0.0, 1.0), (0.01, 0.2)))
    across = draw.random(anchors) < 0.3
    middle[:, across, ..., 0] = draw.integers(0, 2, middle[:, across, ..., 0].shape)
    near = draw.random(anchors) < 0.3
    others = draw.integers(0, anchors, near.sum())
    for part in (middle, half):
        part[:, near] = part[:, others] * draw.uniform(0.9, 1.1, part[:, near].shape)
    half[:, draw.random(anchors) < 0.03] = 0.0
    middle[:, draw.random(anchors) < 0.03] += 2.0
    return (np.concatenate([middle - half, middle + half], -1) * size).astype(np.float32)


def drawn_scores(draw: Any, shape: Sequence[int], hot: int, rest: float) -> Any:
    """Scores of between 0 and 1 for a few classes of at most ``hot`` anchors a picture, and for all others ``rest``.

    The first picture shows nothing at all, the second nearly nothing, every third some.
    """
    pictures, anchors, classes = shape
    scores = np.full(shape, rest, np.float32)
    for picture in range(pictures):
        count = (0, 3)[picture] if picture < 2 else (hot, hot, max(1, min(hot, anchors) // 8))[picture % 3]
        places = draw.permutation(anchors)[:count]
        some = draw.random((len(places), classes)) < 2 / classes
        scores[picture, places] = np.where(some, draw.random(some.shape), rest)
    return scores
