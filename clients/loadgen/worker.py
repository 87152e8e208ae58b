"""A process that puts load on a server: python -m clients.loadgen.worker, told what to do on standard input.

It imports nothing but the standard library and hpack, so that it starts at once and its loop has the process for
itself. Its samples go to a file that another process reads while it grows, which never makes it wait.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from array import array
from pathlib import Path

from clients.loadgen.callers import Callers, Closed, Open
from clients.loadgen.clocks import Clocks
from clients.loadgen.orders import Inbox, Run, say
from clients.loadgen.pool import Pool

_TEND_NS = 20_000_000
_LATE_NS = 80_000_000  # how much later than that, where a request would suffer from it
_CONNECT_NS = 10_000_000_000
_REFUSED_NS = 1_000_000_000


class Worker:
    """The loop around the connections."""

    def __init__(self, inbox: Inbox, pool: Pool, samples: array[int], file: int, timeout_ns: int) -> None:
        """``file`` is where the samples go."""
        self._inbox = inbox
        self._pool, self._samples, self._file, self._timeout_ns = pool, samples, file, timeout_ns
        self._callers: Callers | None = None
        self._stopped = False
        self._began = Clocks()
        self._next_tend = 0

    def connect(self) -> bool:
        """Wait until all connections stand; False when they do not in time."""
        start = time.monotonic_ns()
        while not all(slot.ready for slot in self._pool.slots):
            self._turn(_TEND_NS)
            patience = _REFUSED_NS if self._pool.refused else _CONNECT_NS
            if time.monotonic_ns() - start > patience:
                return False
        return True

    def serve(self) -> None:
        """Do as told until nobody tells any more."""
        while not self._inbox.closed:
            self._turn(self._wait_ns())
            if self._callers and self._is_over():
                self._finish()

    def _wait_ns(self) -> int:
        now = time.monotonic_ns()
        due, callers = self._chores_due(now), self._asking
        if callers:
            due = min(due, callers.next_due - callers.lead_ns)
        return max(0, due - now)

    @property
    def _asking(self) -> Callers | None:
        return None if self._stopped else self._callers

    def _chores_due(self, now: int) -> int:
        """When to look after the connections; a request that is to go out and its answer come first, for a while."""
        callers = self._asking
        if not callers or not callers.lead_ns:
            return self._next_tend
        is_busy = now > callers.next_due - callers.lead_ns or any(slot.in_flight for slot in self._pool.slots)
        return self._next_tend + _LATE_NS if is_busy else self._next_tend

    def _turn(self, wait_ns: int) -> None:
        callers = self._asking
        for slot in self._pool.events(wait_ns):
            if callers:
                callers.answered(slot)
            slot.flush()
        now = time.monotonic_ns()
        if callers and callers.next_due - callers.lead_ns <= now:
            callers.tick(now)
        if now >= self._next_tend and now >= self._chores_due(now):
            self._next_tend = now + _TEND_NS
            self._pool.tend(now - self._timeout_ns)
            self._write()
            self._obey()

    def _is_over(self) -> bool:
        asked = self._stopped or (self._callers is not None and self._callers.finished)
        return asked and not any(slot.in_flight for slot in self._pool.slots)

    def _write(self) -> None:
        if self._samples:
            os.write(self._file, self._samples)
            del self._samples[:]

    def _obey(self) -> None:
        for order in self._inbox.orders():
            if order:
                self._begin(order)
            else:
                self._stopped = True

    def _begin(self, run: Run) -> None:
        kind = Closed if run.in_flight else Open
        self._callers = kind(run, self._pool.slots, self._samples)
        self._stopped = False
        self._began = Clocks()

    def _finish(self) -> None:
        self._callers = None
        self._write()
        texts = {code.name: text for code, text in self._pool.answers.texts.items()}
        say("done", self._began.report(texts))


def sleep_exactly() -> None:
    """Let this process's sleeps end on time: Linux ends them up to 50 µs late, so that several can end together."""
    with contextlib.suppress(OSError):  # where there is no such file, requests go out that much later
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")


def main() -> None:
    """Connect, say so, and run what comes."""
    sleep_exactly()
    inbox = Inbox()
    job = inbox.job()
    samples: array[int] = array("q")
    file = os.open(job.samples, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pool = Pool(job, samples)
    worker = Worker(inbox, pool, samples, file, round(job.timeout_s * 1e9))
    gc.freeze()
    gc.disable()  # nothing here makes cycles, and a collection would be measured as latency
    why = "" if worker.connect() else "; ".join(pool.answers.texts.values()) or "it takes the connection and is silent"
    say("ready", f"no server answers at {job.target} ({why}); start one with 'make serve', or check it" if why else "")
    worker.serve()


if __name__ == "__main__":
    main()
