"""Requests are put together, filled up and taken apart without a row going to somebody else."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.embedded import batch
from serving.embedded.batcher import Batcher
from serving.embedded.batching_parameters import Batching
from serving.embedded.metrics import Metrics
from serving.embedded.refusals import Refusal

ALLOWED = Batching(max_size=16, allowed_sizes=(4, 8, 16))


def feed(rows: int, width: int = 2, start: int = 0) -> list[np.ndarray]:
    return [np.arange(start, start + rows * width, dtype=np.float32).reshape(rows, width)]


@pytest.fixture
def batcher():
    """Makes batchers that end with the test."""
    made: list[Batcher] = []

    def make(**parameters) -> Batcher:
        made.append(Batcher(Batching(**parameters), "m", Metrics()))
        return made[-1]

    yield make
    for each in made:
        each.close()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_joined_and_taken_apart_everybody_has_their_own_rows(sizes):
    tasks = [batch.task(feed(rows, start=100 * place), ALLOWED, 0.0) for place, rows in enumerate(sizes)]
    rows = ALLOWED.padded(sum(sizes))
    (whole,) = batch.joined(tasks, rows)
    answers = batch.taken_apart([whole * 2], tasks, rows)

    assert len(whole) == rows
    assert (whole[sum(sizes) :] == whole[0]).all()
    for task, (answer,) in zip(tasks, answers):
        np.testing.assert_array_equal(answer, task.feeds[0] * 2)


def test_one_request_that_fills_its_batch_is_not_copied():
    task = batch.task(feed(4), ALLOWED, 0.0)

    assert batch.joined([task], 4) is task.feeds


def test_inputs_of_different_sizes_are_filled_up_with_their_own_first_value_where_that_is_wanted():
    parameters = Batching(pad_inputs=True)
    tasks = [batch.task(feed(1, width, start=7), parameters, 0.0) for width in (1, 3)]
    (whole,) = batch.joined(tasks, 2)

    assert tasks[0].shape == tasks[1].shape
    assert whole.tolist() == [[7, 7, 7], [7, 8, 9]]


@pytest.mark.parametrize(
    ("output", "words"),
    [(np.float32(1), "has 0 dimensions"), (np.zeros(3), "0th dimension does not equal")],
)
def test_outputs_without_the_batch_are_refused(output, words):
    task = batch.task(feed(2), Batching(), 0.0)
    with pytest.raises(Refusal, match=words) as caught:
        batch.taken_apart([np.asarray(output)], [task], 2)

    assert caught.value.code.name == "FAILED_PRECONDITION"


def test_a_full_batch_does_not_wait_for_its_time(batcher):
    slow_to_close = batcher(max_size=4, timeout_s=60.0)
    seen: list[int] = []

    def compute(feeds):
        seen.append(len(feeds[0]))
        return feeds

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: slow_to_close.run("q", compute, feed(2), 20.0), range(2)))

    assert seen == [4]
    assert [each[0].tolist() for each in answers] == [feed(2)[0].tolist()] * 2


def test_different_queues_are_not_put_together(batcher):
    waiting = batcher(max_size=4, timeout_s=0.05)
    seen: list[int] = []

    def compute(feeds):
        seen.append(len(feeds[0]))
        return feeds

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda queue: waiting.run(queue, compute, feed(1), 20.0), "ab"))

    assert seen == [1, 1]


def test_what_computing_raises_reaches_everybody_who_asked(batcher):
    waiting = batcher(max_size=2, timeout_s=60.0)

    def compute(_):
        raise RuntimeError("the graph refused")

    def ask(_):
        with pytest.raises(RuntimeError, match="the graph refused"):
            waiting.run("q", compute, feed(1), 20.0)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, range(2)))


def test_who_has_given_up_is_not_computed(batcher):
    one = batcher(max_size=1, threads=1)
    go_on, seen = threading.Event(), []

    def compute(feeds):
        seen.append(feeds[0][0, 0])
        go_on.wait(20)
        return feeds

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(one.run, "q", compute, feed(1), 20.0)
        while not seen:
            time.sleep(0.001)
        with pytest.raises(Refusal, match="Timed out waiting for notification"):
            one.run("q", compute, feed(1, start=7), 0.01)
        go_on.set()
        first.result()
    one.run("q", compute, feed(1, start=9), 20.0)

    assert seen == [0, 9]
