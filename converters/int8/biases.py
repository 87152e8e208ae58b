"""Biases take back how far 8-bit arithmetic moves the mean of what layers give."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from converters.graphs import Graph
from converters.int8.examples import Batch
from converters.sessions import SPARING

# goes over all examples of the calibration data
Batches = Callable[[], Iterable[Batch]]


@dataclass(frozen=True)
class Moved:
    """A layer that gives floats.

    Attributes:
        result: the operation that these come from, under the name that it has in the float graph too.
        bias: the constant of the layer's bias, one number a channel.
    """

    result: str
    bias: str


def settle(graph: Graph, layers: Sequence[Moved], wanted: Mapping[str, Any], batches: Batches) -> None:
    """Move the biases in ``graph`` until each channel of what the layers give has the mean that it has in floats.

    Values that are cut off at the end of a range, and all that is rounded before a layer, move its mean; half a
    hundred layers add up to more than their roundings, which cancel out. Layers go in the order of the graph, as a
    layer that is moved moves those after it.

    Args:
        wanted: the mean of each channel in floats, of each layer's result.
        batches: what these means were taken of.
    """
    found = _Biases({node.name: node for node in graph.graph_def.node}, layers)
    with graph.session(SPARING) as session:
        for together in _in_order(session.graph, layers):
            got = _means(session, [each.result for each in together], batches, found.fed)
            for each in together:
                found.add(each, wanted[each.result] - got[each.result])
    gc.collect()  # a session and its graph hold each other, and the memory of both


class _Biases:
    """The constants, and their values so far as they are fed."""

    def __init__(self, nodes: Mapping[str, Any], layers: Sequence[Moved]) -> None:
        self._constants = {each.bias: nodes[each.bias].attr["value"].tensor for each in layers}
        self.fed = {f"{name}:0": tf.make_ndarray(value) for name, value in self._constants.items()}

    def add(self, layer: Moved, more: Any) -> None:
        value = self.fed[f"{layer.bias}:0"] + np.asarray(more, np.float32)
        self.fed[f"{layer.bias}:0"] = value
        self._constants[layer.bias].CopyFrom(tf.make_tensor_proto(value))


def _in_order(graph: Any, layers: Sequence[Moved]) -> Iterator[Sequence[Moved]]:
    """Those together that none of them comes before another of."""
    results, before = {each.result for each in layers}, dict[str, int]()
    for operation in graph.get_operations():  # sorted, what is read before what reads it
        above = max((before.get(read.op.name, 0) for read in operation.inputs), default=0)
        before[operation.name] = above + (operation.name in results)
    for place in sorted({before[each.result] for each in layers}):
        yield [each for each in layers if before[each.result] == place]


def _means(session: Any, results: Sequence[str], batches: Batches, fed: Mapping[str, Any]) -> dict[str, Any]:
    """Each channel's mean over all examples."""
    tensors = [f"{name}:0" for name in results]
    told, sizes = [], []
    for size, feed in batches():
        told.append([_mean(value) for value in session.run(tensors, {**feed, **fed})])
        sizes.append(size)
    return {name: np.average(each, axis=0, weights=sizes) for name, each in zip(results, zip(*told))}


def _mean(value: Any) -> Any:
    return value.reshape(-1, value.shape[-1]).mean(axis=0, dtype=np.float64)
