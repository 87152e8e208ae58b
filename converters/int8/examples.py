"""Calibration examples for many passes over a graph: read once where they are small, several at a time where it can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from converters.graphs import Graph

# goes over all examples of the calibration data
Feeds = Callable[[], Iterable[Mapping[str, Any]]]
# examples to be asked about at once, and how many they are
Batch = tuple[int, Mapping[str, Any]]

_KEPT: Final = 1 << 27  # bytes
_TOGETHER: Final = 8
_VALUES: Final = 1 << 21  # of a batch, as what a graph makes of them takes a multiple of their memory


class Kept:
    """Examples that stay in memory once all of them were read, if they are small."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._all: list[Mapping[str, Any]] | None = None

    def over(self, feeds: Feeds) -> Iterator[Mapping[str, Any]]:
        """All examples, from ``feeds`` until they are kept."""
        if self._all is not None:
            yield from self._all
            return
        kept, size = list[Mapping[str, Any]](), 0
        for feed in feeds():
            size += sum(map(_bytes, feed.values()))
            if size <= _KEPT:
                kept.append(feed)
            else:
                kept.clear()
            yield feed
        self._all = kept if size <= _KEPT else None


def batches(graph: Graph, examples: Iterable[Mapping[str, Any]]) -> Iterator[Batch]:
    """Examples of one shape that follow each other, put together where every input of the graph takes any number."""
    together = list[Mapping[str, Any]]()
    most = _TOGETHER if _takes_any_number(graph) else 1
    for feed in examples:
        if together and (len(together) >= min(most, _fitting(feed)) or _shapes(feed) != _shapes(together[0])):
            yield _joined(together)
            together = []
        together.append(feed)
    if together:
        yield _joined(together)


def _bytes(value: Any) -> int:
    array = np.asarray(value)
    return array.nbytes if array.dtype != object else sum(map(len, array.flat))


def _takes_any_number(graph: Graph) -> bool:
    shapes = [info.tensor_shape for info in graph.signature.inputs.values()]
    return all(shape.dim and shape.dim[0].size == -1 for shape in shapes)


def _fitting(feed: Mapping[str, Any]) -> int:
    """How many examples of that size."""
    return max(1, _VALUES // max(1, sum(np.size(value) for value in feed.values())))


def _shapes(feed: Mapping[str, Any]) -> list[tuple[int, ...]]:
    return [np.shape(value) for value in feed.values()]


def _joined(feeds: list[Mapping[str, Any]]) -> Batch:
    if len(feeds) == 1:
        return 1, feeds[0]
    return len(feeds), {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
