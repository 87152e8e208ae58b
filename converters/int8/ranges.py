"""The range of values that tensors take on calibration data, which 8 bits are then spread over."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters import graphs, sessions
from converters.int8.examples import Feeds

_BINS: Final = 2048
_SHARES: Final = np.linspace(0.2, 1, 81)  # of the whole range, to choose from
_SAMPLE: Final = 100_000  # values of a tensor and example are enough to tell how they are spread


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

    def within(self, largest: float) -> Range:
        """What of it is no further from zero."""
        return replace(self, low=max(self.low, -largest), high=min(self.high, largest))


def collect(graph: graphs.Graph, tensors: Iterable[str], feeds: Feeds, percentile: float | None) -> dict[str, Range]:
    """The ranges of tensors over all feeds.

    Args:
        percentile: of each feed, values beyond it on either side are left out, none for 100; without one, the range
            is the one that leaves the least squared error when its values are rounded to 8 bits.
    """
    asked = sorted(set(tensors))
    told = _over(graph, asked, feeds, lambda tensor: _statistics(tensor, 100 if percentile is None else percentile))
    ranges = {tensor: _joined(seen) for tensor, seen in told.items()}
    if percentile is not None:
        return ranges
    largest = {tensor: each.largest for tensor, each in ranges.items()}
    spread = _over(graph, asked, feeds, lambda tensor: _histogram(tensor, largest))
    return {tensor: _least_error(ranges[tensor], np.sum(counts, axis=0)) for tensor, counts in spread.items()}


def _over(graph: graphs.Graph, tensors: list[str], feeds: Feeds, ask: Callable[[Any], Any]) -> dict[str, list[Any]]:
    """What is asked of every tensor, for every feed."""
    with sessions.over(graph) as session:
        with session.graph.as_default():
            asked = {name: ask(_tensor(session.graph, name)) for name in tensors}
        told = [session.run(asked, feed) for feed in feeds()] if asked else []
    gc.collect()  # a session and its graph hold each other, and the memory of both
    return {name: [each[name] for each in told] for name in tensors}


def _tensor(graph: Any, name: str) -> Any:
    return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")


def _joined(seen: list[tuple[Any, Any, Any]]) -> Range:
    lows, highs, means = zip(*seen)
    return Range(float(min(lows)), float(max(highs)), np.mean(means, axis=0))


def _statistics(tensor: Any, percentile: float) -> tuple[Any, Any, Any]:
    means = tf.reduce_mean(tf.reshape(tensor, [-1, tf.shape(tensor)[-1]]), 0)
    if percentile == 100:
        return tf.reduce_min(tensor), tf.reduce_max(tensor), means
    flat = tf.reshape(tensor, [-1])
    beyond = 1 + tf.cast(tf.cast(tf.size(flat), tf.float64) * (1 - percentile / 100), tf.int32)
    return -tf.math.top_k(-flat, beyond).values[-1], tf.math.top_k(flat, beyond).values[-1], means


def _histogram(tensor: Any, largest: Mapping[str, float]) -> Any:
    """How many absolute values lie where between zero and the largest."""
    name = tensor.name[:-2] if tensor.name.endswith(":0") else tensor.name
    flat = tf.reshape(tensor, [-1])
    every = 1 + tf.size(flat) // _SAMPLE
    return tf.histogram_fixed_width(tf.abs(flat[::every]), [0.0, largest[name]], _BINS)


def _least_error(whole: Range, counts: Any) -> Range:
    """The part of a range that gives its values the least error in 8 bits: finer steps, some values cut off."""
    values = (np.arange(_BINS) + 0.5) / _BINS
    steps = 255 if whole.low >= 0 else 127
    ends = _SHARES[:, None]
    rounded = np.minimum(np.rint(values * steps / ends), steps) * ends / steps
    errors = (counts * np.square(rounded - values)).sum(axis=1)
    return whole.within(float(_SHARES[errors.argmin()]) * whole.largest)
