"""The range of values that tensors take on calibration data, which 8 bits are then spread over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters import graphs

v1 = tf.compat.v1


@dataclass(frozen=True)
class Range:
    """From the smallest to the largest value seen."""

    low: float
    high: float

    @property
    def largest(self) -> float:
        """The largest absolute value, a little over zero at least."""
        return max(abs(self.low), abs(self.high), 1e-6)

    def joined(self, other: Range) -> Range:
        """What was seen in either."""
        return Range(min(self.low, other.low), max(self.high, other.high))


def collect(
    graph: graphs.Graph, tensors: Iterable[str], feeds: Iterable[Mapping[str, Any]], percentile: float
) -> dict[str, Range]:
    """The ranges of tensors over all feeds; of each, the values beyond the percentile on either side are left out."""
    loaded = graphs.imported(graph.graph_def)
    found: dict[str, Range] = {}
    with loaded.as_default():
        asked = {tensor: _extremes(_tensor(loaded, tensor), percentile) for tensor in sorted(set(tensors))}
    # a session used with its own "with" would make its graph the one that feeds are prepared in
    with closing(v1.Session(graph=loaded)) as session:
        for feed in feeds:
            for tensor, (low, high) in session.run(asked, feed).items():
                seen = Range(float(low), float(high))
                found[tensor] = seen.joined(found.get(tensor, seen))
    return found


def _tensor(loaded: Any, name: str) -> Any:
    return loaded.get_tensor_by_name(name if ":" in name else f"{name}:0")


def _extremes(tensor: Any, percentile: float) -> tuple[Any, Any]:
    if percentile == 100:
        return tf.reduce_min(tensor), tf.reduce_max(tensor)
    flat = tf.reshape(tensor, [-1])
    beyond = 1 + tf.cast(tf.cast(tf.size(flat), tf.float64) * (1 - percentile / 100), tf.int32)
    return -tf.math.top_k(-flat, beyond).values[-1], tf.math.top_k(flat, beyond).values[-1]
