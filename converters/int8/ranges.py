"""The range of values that tensors take on calibration data, which 8 bits are then spread over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from converters import graphs

v1 = tf.compat.v1


@dataclass(frozen=True)
class Range:
    """From the smallest to the largest value seen, and each channel's mean."""

    low: float
    high: float
    means: Any

    @property
    def largest(self) -> float:
        """The largest absolute value, a little over zero at least."""
        return max(abs(self.low), abs(self.high), 1e-6)


def collect(
    graph: graphs.Graph, tensors: Iterable[str], feeds: Iterable[Mapping[str, Any]], percentile: float
) -> dict[str, Range]:
    """The ranges of tensors over all feeds; of each feed, values beyond the percentile on either side are left out."""
    loaded = graphs.imported(graph.graph_def)
    with loaded.as_default():
        asked = {tensor: _statistics(_tensor(loaded, tensor), percentile) for tensor in sorted(set(tensors))}
    # a session used with its own "with" would make its graph the one that feeds are prepared in
    with closing(v1.Session(graph=loaded)) as session:
        told = [session.run(asked, feed) for feed in feeds] if asked else []
    return {tensor: _joined([each[tensor] for each in told]) for tensor in asked}


def _joined(seen: list[tuple[Any, Any, Any]]) -> Range:
    lows, highs, means = zip(*seen)
    return Range(float(min(lows)), float(max(highs)), np.mean(means, axis=0))


def _tensor(loaded: Any, name: str) -> Any:
    return loaded.get_tensor_by_name(name if ":" in name else f"{name}:0")


def _statistics(tensor: Any, percentile: float) -> tuple[Any, Any, Any]:
    means = tf.reduce_mean(tf.reshape(tensor, [-1, tf.shape(tensor)[-1]]), 0)
    if percentile == 100:
        return tf.reduce_min(tensor), tf.reduce_max(tensor), means
    flat = tf.reshape(tensor, [-1])
    beyond = 1 + tf.cast(tf.cast(tf.size(flat), tf.float64) * (1 - percentile / 100), tf.int32)
    return -tf.math.top_k(-flat, beyond).values[-1], tf.math.top_k(flat, beyond).values[-1], means
