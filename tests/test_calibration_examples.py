"""Calibration examples for many passes: read once, and asked about together where that gives the same."""

from __future__ import annotations

import numpy as np
import pytest
from small_graphs import graph_of

from converters.int8.examples import Kept, batches


def examples(*shapes):
    """One feed a shape, each with a number of its own."""
    return [{"x:0": np.full((1, *shape), number)} for number, shape in enumerate(shapes)]


@pytest.fixture
def counted():
    """Feeds that count how often they were read, and the count."""
    begun = []

    def over(found):
        def feeds():
            begun.append(1)
            yield from found

        return feeds

    return over, begun


def test_small_examples_are_read_once(counted):
    over, begun = counted
    kept, found = Kept(), examples((3,), (3,))

    assert [list(kept.over(over(found))) for _ in range(3)] == [found] * 3
    assert len(begun) == 1


def test_what_was_not_read_to_the_end_is_read_again(counted):
    over, begun = counted
    kept, found = Kept(), examples((3,), (3,))
    next(kept.over(over(found)))

    assert list(kept.over(over(found))) == found
    assert len(begun) == 2


@pytest.mark.parametrize(
    "large",
    [np.broadcast_to(np.float32(1), (1, 1 << 26)), np.array([b"a" * (1 << 28)], object)],
    ids=["numbers", "strings"],
)
def test_large_examples_are_not_kept(counted, large):
    over, begun = counted
    kept = Kept()
    for _ in range(2):
        assert len(list(kept.over(over([{"x:0": large}])))) == 1

    assert len(begun) == 2


@pytest.mark.parametrize(
    ("number", "shapes", "sizes"),
    [
        (-1, [(3,)] * 10, [8, 2]),
        (-1, [(3,), (3,), (4,), (3,)], [2, 1, 1]),
        (-1, [(1 << 20,)] * 3, [2, 1]),
        (1, [(3,)] * 3, [1, 1, 1]),
    ],
    ids=["eight at most", "of one shape", "of few values", "of a graph that takes one"],
)
def test_what_is_asked_together(number, shapes, sizes):
    graph = graph_of(lambda x: x + 1, np.zeros((1, 3), np.float32))
    graph.signature.inputs["x"].tensor_shape.dim[0].size = number
    together = list(batches(graph, examples(*shapes)))

    assert [size for size, _ in together] == sizes
    assert [len(feed["x:0"]) for _, feed in together] == sizes
    assert [value for _, feed in together for value in feed["x:0"][:, 0]] == list(range(len(shapes)))
