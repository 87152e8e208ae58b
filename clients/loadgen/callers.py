"""Who asks when: callers that wait for their answers (closed loop), or a schedule that does not (open loop)."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from typing import Protocol

from clients.loadgen import schedule
from clients.loadgen.codes import Code
from clients.loadgen.orders import Run
from clients.loadgen.pool import Slot

_RETRY_NS = 100_000_000  # between two tries of a caller whom nobody answers
_NEVER = 2**62
_LEAD_NS = 300_000  # a sleep ends up to that much late
_LEAD_SHARE = 0.1  # of the time between two requests at most, as it costs a processor


class Callers(Protocol):
    """One way to ask, within one run.

    Attributes:
        next_due: when there is something to do that no answer brings about, in ns.
        lead_ns: how long before that not to sleep any more, as no sleep ends on time. Behind it there is sleep
            again: on a processor that the server shares, it would have to wait for us to answer.
    """

    next_due: int
    lead_ns: int

    @property
    def finished(self) -> bool:
        """Everything that was to be asked was asked."""

    def answered(self, slot: Slot) -> None:
        """Something came on a connection, which is flushed afterwards."""

    def tick(self, now: int) -> None:
        """``next_due`` has come, or is nearer than ``lead_ns``."""


class Quota:
    """How many requests may still be begun."""

    def __init__(self, requests: int | None) -> None:
        """Any number when None."""
        self.left = _NEVER if requests is None else requests

    def take(self, wanted: int) -> int:
        """As many of them as may be begun."""
        taken = min(wanted, self.left)
        self.left -= taken
        return taken


class Closed:
    """Each caller asks again as soon as it has its answer."""

    def __init__(self, run: Run, slots: Sequence[Slot], samples: array[int]) -> None:
        """Callers are spread evenly over the connections."""
        self.next_due, self.lead_ns = run.at_ns, 0
        self._quota = Quota(run.requests)
        self._samples = samples
        shares = (run.in_flight // len(slots) + (place < run.in_flight % len(slots)) for place in range(len(slots)))
        self._callers = dict(zip(slots, shares))
        self._begun = False

    @property
    def finished(self) -> bool:
        """Everything was asked."""
        return not self._quota.left

    def answered(self, slot: Slot) -> None:
        """Whoever has an answer asks again."""
        idle = self._callers[slot] - slot.in_flight
        if self._begun and idle and slot.ready:
            now = time.monotonic_ns()
            slot.ask(self._quota.take(idle), now, now)

    def tick(self, now: int) -> None:
        """Let all begin, and later those try again who have no connection."""
        self._begun = True
        self.next_due = now + _RETRY_NS
        for slot, callers in self._callers.items():
            if slot.ready:
                self.answered(slot)
                slot.flush()
            elif slot.absent:
                self._samples.extend((now, now, now, Code.NO_CONNECTION) * self._quota.take(callers - slot.in_flight))


class Open:
    """Requests go out when they are due, on the connections in turn."""

    def __init__(self, run: Run, slots: Sequence[Slot], samples: array[int]) -> None:
        """The whole schedule follows from the run."""
        self._start = run.at_ns
        self.lead_ns = min(_LEAD_NS, round(_LEAD_SHARE * 1e9 * run.workers / run.rate))
        self._arrivals = schedule.arrivals(run.rate, run.arrival, run.seed, run.worker, run.workers)
        self._quota = Quota(run.requests)
        self._slots, self._samples = slots, samples
        self._turn = 0
        self._advance()

    def _advance(self) -> None:
        self.next_due = self._start + next(self._arrivals) if self._quota.take(1) else _NEVER

    @property
    def finished(self) -> bool:
        """Everything was asked."""
        return self.next_due == _NEVER

    def answered(self, slot: Slot) -> None:
        """Changes nothing: that is the point of an open loop."""

    def tick(self, now: int) -> None:
        """Ask whatever is due, have the next one ready; where nobody is there it has failed at once."""
        while self.next_due <= now:
            slot = self._next_slot()
            if slot:
                slot.ask(1, self.next_due, now)
                slot.flush()
            elif all(each.absent for each in self._slots):
                self._samples.extend((self.next_due, now, now, Code.NO_CONNECTION))
            else:  # a connection is on its way, and what waits for it has been due since then
                return
            self._advance()
        self._slots[self._after(self._turn)].prepare()

    def _after(self, place: int) -> int:
        return (place + 1) % len(self._slots)

    def _next_slot(self) -> Slot | None:
        for _ in self._slots:
            self._turn = self._after(self._turn)
            if self._slots[self._turn].ready:
                return self._slots[self._turn]
        return None
