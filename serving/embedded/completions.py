"""Threads that take what happens off gRPC's queue and deal with it on the spot, without handing it to another."""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path

from grpc._cython import cygrpc

_LOG = logging.getLogger(__name__)


class Completions:
    """gRPC's queue of events, and the threads that wait at it.

    Whatever waits in the queue is begun with a tag, which is called with the event when it comes. When all
    threads are busy another one joins them, so that a call that computes for long keeps nobody waiting.

    Attributes:
        queue: gRPC's own.
    """

    def __init__(self, most: int) -> None:
        """Nobody waits yet; there will be at most so many threads."""
        self.queue = cygrpc.CompletionQueue()
        self._most = most
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._changing = threading.Lock()

    def start(self) -> None:
        """Wait for events from now on."""
        with self._changing:
            self._join()

    def end(self, timeout_s: float) -> None:
        """Take no more events once those that are under way have come; wait so long for the threads to end."""
        self.queue.shutdown()
        for thread in self._threads:
            thread.join(timeout_s)

    def _join(self) -> None:
        thread = threading.Thread(target=self._work, name=f"call {len(self._threads)}", daemon=True)
        self._threads.append(thread)
        self._waiting += 1
        thread.start()

    def _work(self) -> None:
        _show_name()
        while True:
            event = self.queue.poll()
            if event.completion_type == cygrpc.CompletionType.queue_shutdown:
                return
            with self._changing:
                self._waiting -= 1
                if not self._waiting and len(self._threads) < self._most:
                    self._join()
            try:
                event.tag(event)
            except Exception:  # whatever is wrong with one call, the thread is there for the next
                _LOG.exception("a call ended in an error of the server's own")
            del event  # it holds the call, which should be gone before the next one is waited for
            with self._changing:
                self._waiting += 1


def _show_name() -> None:
    """So that `top -H` and its like tell this thread from TensorFlow's and gRPC's."""
    with contextlib.suppress(OSError):  # where there is no such file
        name = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
        name.write_text(threading.current_thread().name, encoding="ascii")
