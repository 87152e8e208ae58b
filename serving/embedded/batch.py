"""Requests that are computed together: put together, filled up, and taken apart again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving.embedded import refusals
from serving.embedded.batching_parameters import Batching

Arrays = Sequence["np.ndarray[Any, Any]"]


@dataclass(frozen=True)
class Task:
    """One request in a batch.

    Attributes:
        shape: what must be equal for requests to share a batch: all sizes but the rows, or only how many sizes.
        started: on the monotonic clock, when it came.
    """

    feeds: Arrays
    rows: int
    shape: tuple[Any, ...]
    started: float
    answer: Future[Arrays] = field(default_factory=Future)


def task(feeds: Arrays, parameters: Batching, now: float) -> Task:
    """Check a request; Refusal in the stock server's words when it cannot be part of a batch."""
    if any(not each.ndim for each in feeds):
        raise refusals.invalid("Batching Run() input tensors must have at least one dimension")
    sizes = {len(each) for each in feeds}
    if len(sizes) > 1:
        raise refusals.invalid("Batching Run() input tensors must have equal 0th-dimension size")
    rows = sizes.pop() if sizes else 1
    if rows > parameters.max_size:
        raise refusals.invalid(f"Task size {rows} is larger than maximum input batch size {parameters.max_size}")
    if not rows and parameters.allowed_sizes:
        # the stock server dies of this
        raise refusals.invalid("A batch of 0 cannot be filled up to an allowed batch size; send at least one row")
    shape = tuple(each.ndim if parameters.pad_inputs else each.shape[1:] for each in feeds)
    return Task(feeds, rows, shape, now)


def joined(tasks: Sequence[Task], rows: int) -> Arrays:
    """The inputs of all tasks, filled up with the first row to ``rows``; not copied when there is nothing to do."""
    if len(tasks) == 1 and tasks[0].rows == rows:
        return tasks[0].feeds
    return [_column([each.feeds[place] for each in tasks], rows) for place in range(len(tasks[0].feeds))]


def _column(arrays: Arrays, rows: int) -> np.ndarray[Any, Any]:
    inner = tuple(max(sizes) for sizes in zip(*(each.shape[1:] for each in arrays)))
    whole = np.empty((rows, *inner), arrays[0].dtype)
    start = 0
    for each in arrays:
        if each.shape[1:] != inner:
            whole[start : start + len(each)] = _filling(each)
        whole[(slice(start, start + len(each)), *map(slice, each.shape[1:]))] = each
        start += len(each)
    whole[start:] = whole[0]
    return whole


def _filling(array: np.ndarray[Any, Any]) -> Any:
    """What the stock server fills an input up with: its own first value."""
    if not array.size:
        raise refusals.invalid("Got empty tensor in batch of non-empty tensors.")
    return array.flat[0]


def taken_apart(outputs: Arrays, tasks: Sequence[Task], rows: int) -> list[Arrays]:
    """Each task's own rows of the outputs, as views."""
    for each in outputs:
        if not each.ndim:
            raise refusals.precondition("Batched output tensor has 0 dimensions")
        if len(each) != rows:
            raise refusals.precondition(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
                "of the input tensors"
            )
    ends = np.cumsum([each.rows for each in tasks]).tolist()
    return [[each[end - of.rows : end] for each in outputs] for of, end in zip(tasks, ends)]
