"""Dynamic batching: requests that come at about the same time are computed together, as in the stock server."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any

import grpc

from serving.embedded import batch
from serving.embedded.batching_parameters import Batching
from serving.embedded.metrics import Metrics
from serving.embedded.refusals import Refusal

Compute = Callable[[batch.Arrays], batch.Arrays]


@dataclass
class _Batch:
    """Tasks that will be computed together, and how."""

    compute: Compute
    tasks: list[batch.Task] = field(default_factory=list)
    rows: int = 0

    def takes(self, task: batch.Task, most: int) -> bool:
        return self.rows + task.rows <= most and self.tasks[0].shape == task.shape

    def add(self, task: batch.Task) -> None:
        self.tasks.append(task)
        self.rows += task.rows


class Batcher:
    """The queues and the threads of one version.

    A queue holds requests for the same signature and outputs. Its last batch grows until it is full or its
    first request has waited long enough and a thread is free.
    """

    def __init__(self, parameters: Batching, model: str, metrics: Metrics) -> None:
        """Start the threads."""
        self._parameters = parameters
        self._batch_sizes = metrics.batches(model, parameters.thread_pool_name)
        self._queues: dict[Hashable, deque[_Batch]] = {}
        self._changed = threading.Condition(threading.Lock())
        self._closing = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(parameters.threads)]
        for thread in self._threads:
            thread.start()

    def run(self, queue: Hashable, compute: Compute, feeds: batch.Arrays, timeout_s: float | None) -> batch.Arrays:
        """Compute with others' inputs, and give back one's own part of the outputs.

        Args:
            queue: requests of one queue can be computed together.
            compute: what to call with the joined inputs.
            timeout_s: how long the caller waits; for ever when None.

        Raises:
            Refusal: the queue is full, the inputs fit no batch, or time is up.
        """
        task = batch.task(feeds, self._parameters, time.monotonic())
        with self._changed:
            self._enqueue(self._queues.setdefault(queue, deque()), compute, task)
            self._changed.notify()
        try:
            return task.answer.result(timeout_s)
        except FutureTimeout:
            task.answer.cancel()
            raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for notification") from None

    def _enqueue(self, waiting: deque[_Batch], compute: Compute, task: batch.Task) -> None:
        most = self._parameters.max_enqueued
        if not waiting or not waiting[-1].takes(task, self._parameters.max_size):
            if len(waiting) >= most:
                raise Refusal(
                    grpc.StatusCode.UNAVAILABLE,
                    "The batch scheduling queue to which this task was submitted is full; "
                    f"currently {len(waiting)} batches enqueued and max_enqueued_batches is {most}",
                )
            waiting.append(_Batch(compute))
        waiting[-1].add(task)

    def _work(self) -> None:
        while True:
            with self._changed:
                ready = self._next()
                while ready is None:
                    if self._closing:
                        return
                    self._changed.wait(self._patience_s())
                    ready = self._next()
            self._compute(ready)

    def _next(self) -> _Batch | None:
        """The batch that has waited longest of those that need not wait on, taken out of its queue."""
        now = time.monotonic()
        due = [queue for queue in self._queues.values() if queue and self._is_due(queue, now)]
        if not due:
            return None
        oldest = min(due, key=lambda queue: queue[0].tasks[0].started)
        return oldest.popleft()

    def _is_due(self, queue: deque[_Batch], now: float) -> bool:
        first = queue[0]
        full = len(queue) > 1 or first.rows >= self._parameters.max_size
        return full or now >= first.tasks[0].started + self._parameters.timeout_s

    def _patience_s(self) -> float | None:
        """How long until the next batch need not wait on; None when nothing waits."""
        ends = [queue[0].tasks[0].started + self._parameters.timeout_s for queue in self._queues.values() if queue]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _compute(self, ready: _Batch) -> None:
        tasks = [each for each in ready.tasks if each.answer.set_running_or_notify_cancel()]
        if not tasks:
            return
        rows = sum(each.rows for each in tasks)
        padded = self._parameters.padded(rows)
        self._batch_sizes.add(rows, padded, [time.monotonic() - each.started for each in tasks])
        try:
            outputs = ready.compute(batch.joined(tasks, padded))
            answers: list[Any] = batch.taken_apart(outputs, tasks, padded)
        except Exception as error:  # whatever went wrong goes to those who asked
            for each in tasks:
                each.answer.set_exception(error)
            return
        for each, answer in zip(tasks, answers):
            each.answer.set_result(answer)

    def close(self) -> None:
        """End the threads; nobody may be waiting for an answer."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
