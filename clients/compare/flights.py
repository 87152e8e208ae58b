"""Requests under way: so many at a time, and the next one goes out in the moment an answer comes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Flights(Generic[Answer]):
    """A queue in front of a server, used in a ``with`` block, which ends when nothing is under way any more.

    Neither who fills it nor who makes use of the answers is waited for while the queue is not empty.
    """

    def __init__(self, under_way: int, waiting: int) -> None:
        """At most so many requests at a time, and so many that wait for them to end."""
        self._free, self._all = under_way, under_way
        self._most = waiting
        self._waiting: deque[tuple[Callable[[], Future[Answer]], Future[Answer]]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def ask(self, start: Callable[[], Future[Answer]]) -> Future[Answer]:
        """Send by ``start`` when it is its turn; waits while the queue is full."""
        landed: Future[Answer] = Future()
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < self._most or self._closed)
            if self._closed:
                landed.cancel()
            else:
                self._waiting.append((start, landed))
        self._go()
        return landed

    def _go(self) -> None:
        while True:
            with self._changed:
                if not self._free or not self._waiting:
                    return
                self._free -= 1
                start, landed = self._waiting.popleft()
                self._changed.notify_all()
            start().add_done_callback(lambda flown, landed=landed: self._came(flown, landed))  # type: ignore[misc]

    def _came(self, flown: Future[Answer], landed: Future[Answer]) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()
        self._go()
        error = flown.exception()
        if error is None:
            landed.set_result(flown.result())
        else:
            landed.set_exception(error)

    def close(self) -> None:
        """What waits is not sent any more, and whoever waits to be let in goes away."""
        with self._changed:
            self._closed = True
            for _, landed in self._waiting:
                landed.cancel()
            self._waiting.clear()
            self._changed.notify_all()

    def __enter__(self) -> Flights[Answer]:
        """Use it in a ``with`` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is under way ends by itself; of the rest nothing starts."""
        self.close()
        with self._changed:
            self._changed.wait_for(lambda: self._free == self._all)
