"""8-bit arithmetic that is faster than floats: oneDNN's fused operations, with ranges known before any request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import tensorflow as tf

from converters.calibration import locate
from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.int8.fusing import Fused, find
from converters.int8.ranges import Range, collect
from converters.int8.writing import Writer
from converters.layers import layers
from converters.registry import on_graphs, register
from model_config.errors import BuildError, UnknownName, near_miss

Measure = Callable[[Iterable[str]], dict[str, Range]]


@register("quantize_nodes_calibrated")
@on_graphs
def quantize_nodes_calibrated(
    graph: Graph,
    *,
    calibration: str = "",
    pictures: str = "100",
    pixels: str = "0,255",
    percentile: str = "100",
    keep_float: str = "",
) -> Graph:
    """Compute convolutions in 8 bits, weights by channel and values in the ranges that calibration data shows.

    Args:
        graph: batch norms should be folded before, as they stand between a convolution and its activation.
        calibration: a folder of pictures, or arrays as the graph takes them.
        pictures: how many of them to use.
        pixels: what the darkest and the brightest pixel become where the graph takes floats, such as ``-1,1``.
        percentile: how many of a tensor's values the range has to hold; 100 for the smallest to the largest.
        keep_float: names of convolutions to leave alone, separated by commas.
    """
    if not calibration:
        raise BuildError("8-bit arithmetic needs calibration data; name a folder of pictures with --calibration")
    darkest, brightest = (float(value) for value in pixels.split(","))
    data = locate(Path(calibration), int(pictures), (darkest, brightest))
    edit, kept = Edit(graph), set(filter(None, keep_float.split(",")))
    _require_known(edit, kept)
    fused, found = _calibrated(
        edit, graph, kept, lambda tensors: collect(graph, tensors, data.feeds(graph), float(percentile))
    )
    Writer(edit, fused, found).write()
    return edit.done()


def _require_known(edit: Edit, kept: set[str]) -> None:
    convolutions = [layer.node.name for layer in layers(edit)]
    for name in sorted(kept - set(convolutions)):
        raise UnknownName(f"no convolution to keep float is called {name!r}; {near_miss(name, convolutions)}")


def _calibrated(edit: Edit, graph: Graph, kept: set[str], measure: Measure) -> tuple[list[Fused], dict[str, Range]]:
    """The convolutions that can be computed in 8 bits, and the ranges of all they read and give."""
    found: dict[str, Range] = {}
    while True:
        fused = find(edit, kept)
        found.update(measure({tensor for each in fused for tensor in (each.source, each.last)} - found.keys()))
        # oneDNN's depthwise operation reads unsigned values only
        writer = Writer(edit, fused, found)
        signed = {each.layer.node.name for each in fused if each.depthwise and writer.type_of(each.source) == tf.qint8}
        if not signed:
            return fused, found
        kept = kept | signed
