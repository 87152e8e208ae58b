"""8-bit arithmetic that is faster than floats: oneDNN's fused operations, with ranges known before any request."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from converters.calibration import locate
from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.int8.calibrated import Calibrated
from converters.layers import layers
from converters.picture_inputs import Way
from converters.registry import on_graphs, register
from model_config.errors import BuildError, UnknownName, near_miss

NAME: Final = "quantize_nodes_calibrated"


@register(NAME)
@on_graphs
def quantize_nodes_calibrated(
    graph: Graph,
    *,
    calibration: str = "",
    pictures: str = "100",
    pixels: str = "0,255",
    encode: str = "",
    percentile: str = "",
    keep_float: str = "",
    hold_out: str = "no",
) -> Graph:
    """Compute convolutions in 8 bits, weights by channel and values in the ranges that calibration data shows.

    Args:
        graph: batch norms should be folded before, as they stand between a convolution and its activation.
        calibration: a folder of pictures, or arrays as the graph takes them.
        pictures: how many of them to use.
        pixels: what the darkest and the brightest pixel become where the graph takes floats, such as ``-1,1``.
        encode: how pictures become inputs instead, as JSON of a task's encode in models.yaml.
        percentile: how many of a tensor's values the range has to hold, 100 for the smallest to the largest;
            without one, as many as give the least error.
        keep_float: names of convolutions to leave alone, separated by commas.
        hold_out: ``yes`` does not learn from every fourth example, by which the result can then be judged.
    """
    calibrated = load(graph, calibration, pictures, pixels, encode, percentile, hold_out)
    kept = names(keep_float)
    _require_known(graph, kept)
    return calibrated.quantized(kept)


def load(
    graph: Graph, calibration: str, pictures: str, pixels: str, encode: str, percentile: str, hold_out: str
) -> Calibrated:
    """A graph with the calibration data that the pass is told of."""
    if not calibration:
        raise BuildError("8-bit arithmetic needs calibration data; name a folder of pictures with --calibration")
    data = locate(Path(calibration), int(pictures), Way.from_words(pixels, encode), hold_out == "yes")
    return Calibrated.of(graph, data, float(percentile) if percentile else None)


def names(keep_float: str) -> set[str]:
    """The convolutions that a parameter lists."""
    return set(filter(None, keep_float.split(",")))


def _require_known(graph: Graph, kept: set[str]) -> None:
    convolutions = [layer.node.name for layer in layers(Edit(graph))] if kept else []
    for name in sorted(kept - set(convolutions)):
        raise UnknownName(f"no convolution to keep float is called {name!r}; {near_miss(name, convolutions)}")
