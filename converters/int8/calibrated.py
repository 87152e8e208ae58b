"""Which layers of a graph can compute in 8 bits, and the ranges of all they read and give."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import tensorflow as tf

from converters.calibration import Calibration
from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.int8.biases import Moved, settle
from converters.int8.examples import Kept, batches
from converters.int8.fusing import Fused, find
from converters.int8.ranges import Range, collect
from converters.int8.writing import Quantized, Writer

_Measured = tuple[dict[str, Range], dict[str, Quantized], Kept]
_LARGE: Final = 1 << 26  # bytes, of which TensorFlow holds several copies once it is asked
_known: Final[ContextVar[dict[object, _Measured] | None]] = ContextVar("known", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """What is measured of a graph inside the block is measured once, however often that graph comes."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


@dataclass
class Calibrated:
    """A float graph with its calibration data; ranges and 8-bit weights are found once, when they are needed first."""

    graph: Graph
    data: Calibration
    percentile: float | None
    _ranges: dict[str, Range] = field(default_factory=dict)
    _weights: dict[str, Quantized] = field(default_factory=dict)
    _kept: Kept = field(default_factory=Kept)

    @classmethod
    def of(cls, graph: Graph, data: Calibration, percentile: float | None) -> Calibrated:
        """Of a graph and data that may have come before (``remembered``)."""
        known = _known.get()
        if known is None:
            return cls(graph, data, percentile)
        return cls(
            graph, data, percentile, *known.setdefault((_digest(graph), repr(data), percentile), ({}, {}, Kept()))
        )

    def quantized(self, kept: Collection[str]) -> Graph:
        """The graph with all layers in 8 bits that can be, but for those to keep float.

        Their biases are settled, unless the graph is so large that asking it takes much more memory than making it.
        """
        done, moved = self._written(kept)
        if _constant_bytes(done.graph_def) > _LARGE:
            return done
        means = {each.result: self._ranges[each.result].means for each in moved}
        try:
            settle(done, moved, means, lambda: batches(done, self.feeds()))
        except tf.errors.InvalidArgumentError:  # it says that it takes any number, and does not
            settle(done, moved, means, lambda: ((1, feed) for feed in self.feeds()))
        return done

    def feeds(self) -> Iterator[Mapping[str, Any]]:
        """All calibration examples, one after the other."""
        return self._kept.over(lambda: self.data.feeds(self.graph))

    def rounded(self, kept: Collection[str]) -> Graph:
        """The same with the biases as they come, which is sooner done."""
        return self._written(kept)[0]

    def _written(self, kept: Collection[str]) -> tuple[Graph, list[Moved]]:
        edit = Edit(self.graph)
        writer = Writer(edit, self.fused(edit, kept), self._ranges, self._weights)
        moved = writer.write()
        return edit.done(), moved

    def fused(self, edit: Edit, kept: Collection[str]) -> list[Fused]:
        """The layers of an edit of the graph that can be computed in 8 bits, their ranges measured."""
        fused = find(edit, kept)
        self._measure({tensor for each in fused for tensor in (each.source, each.last)})
        return fused

    def _measure(self, tensors: set[str]) -> None:
        missing = tensors - self._ranges.keys()
        if missing:
            self._ranges.update(collect(self.graph, missing, self.feeds, self.percentile))


def _constant_bytes(graph_def: Any) -> int:
    """What the constants take; to ask the message for its size is to write it once more."""
    tensors = (node.attr["value"].tensor for node in graph_def.node if node.op == "Const")
    return sum(tf.as_dtype(each.dtype).size * tf.TensorShape(each.tensor_shape).num_elements() for each in tensors)


def _digest(graph: Graph) -> bytes:
    """What a graph is known by, its weights included."""
    digest = hashlib.sha256(graph.signature.SerializeToString(deterministic=True))
    for node in graph.graph_def.node:
        digest.update(node.SerializeToString(deterministic=True))
    return digest.digest()
