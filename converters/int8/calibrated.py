"""Which layers of a graph can compute in 8 bits, and the ranges of all they read and give."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import tensorflow as tf

from converters.calibration import Calibration
from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.int8.fusing import Fused, find
from converters.int8.ranges import Range, collect
from converters.int8.writing import Writer


@dataclass
class Calibrated:
    """A float graph with its calibration data; every tensor's range is measured once, when it is needed first."""

    graph: Graph
    data: Calibration
    percentile: float
    _ranges: dict[str, Range] = field(default_factory=dict)

    def quantized(self, kept: Collection[str]) -> Graph:
        """The graph with all layers in 8 bits that can be, but for those to keep float."""
        edit = Edit(self.graph)
        Writer(edit, self.fused(edit, kept), self._ranges).write()
        return edit.done()

    def fused(self, edit: Edit, kept: Collection[str]) -> list[Fused]:
        """The layers of an edit of the graph that can be computed in 8 bits, their ranges measured."""
        kept = set(kept)
        while True:
            fused = find(edit, kept)
            self._measure({tensor for each in fused for tensor in (each.source, each.last)})
            # oneDNN's depthwise operation reads unsigned values only
            writer = Writer(edit, fused, self._ranges)
            reading = {each.layer.node.name: writer.type_of(each.source) for each in fused if each.depthwise}
            signed = {name for name, kind in reading.items() if kind == tf.qint8}
            if not signed:
                return fused
            kept |= signed

    def _measure(self, tensors: set[str]) -> None:
        missing = tensors - self._ranges.keys()
        if missing:
            self._ranges.update(collect(self.graph, missing, self.data.feeds(self.graph), self.percentile))
