"""The connections of one worker: opened, watched, and opened again when they are lost."""

from __future__ import annotations

import select
import time
from array import array
from collections.abc import Iterator

from clients.loadgen import frames
from clients.loadgen.answers import Answers
from clients.loadgen.codes import Code
from clients.loadgen.connection import Connection
from clients.loadgen.dialing import Dialer
from clients.loadgen.orders import Job
from clients.loadgen.sending import Question

_AGAIN_NS = 100_000_000  # between two tries to connect
_PATIENCE_NS = 5_000_000_000  # for a server that takes the connection and says nothing
_METHOD = "/tensorflow.serving.PredictionService/Predict"
_EVENTS = 64  # at a time
_IN, _IN_OUT = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT


class Slot:
    """A place for a connection to one server, which may be lost and come again."""

    def __init__(self, pool: Pool, address: str) -> None:
        """Connect."""
        self._pool, self._address = pool, address
        self._tried = 0
        self._events = 0
        self.connection: Connection | None = None
        self.connect()

    @property
    def ready(self) -> bool:
        """Requests may be issued."""
        connection = self.connection
        return connection is not None and connection.ready and not connection.going

    @property
    def absent(self) -> bool:
        """Nobody is there; not so while a connection is being made, also in place of one that the server ended."""
        connection = self.connection
        return connection is None or (bool(connection.lost) and not connection.going)

    @property
    def in_flight(self) -> int:
        """Requests without an answer."""
        return self.connection.in_flight if self.connection else 0

    def connect(self) -> None:
        """Try it; whether it worked shows later."""
        self._tried = time.monotonic_ns()
        try:
            peer = self._pool.dialer.dial(self._address)
        except OSError as error:
            self.connection = None
            self._pool.answers.note(Code.NO_CONNECTION, error.strerror or str(error))
            return
        self.connection = Connection(peer, self._pool.question, self._pool.answers, self._pool.samples)
        self._events = _IN_OUT
        self._pool.poll.register(peer.fileno(), _IN_OUT)
        self._pool.by_descriptor[peer.fileno()] = self

    def prepare(self) -> None:
        """Have the next request ready, so that asking takes next to no time."""
        if self.connection and self.ready:
            self.connection.prepare()

    def ask(self, number: int, due: int, sent: int) -> None:
        """Ask so many times with the next ``flush``."""
        if self.connection and number:
            self.connection.ask(number, due, sent)

    def flush(self) -> None:
        """Send what can be sent, and be told when the rest can."""
        connection = self.connection
        if connection is None or connection.lost:
            return
        events = _IN_OUT if connection.flush() else _IN
        if events != self._events and not connection.lost:
            self._events = events
            self._pool.poll.modify(connection.socket.fileno(), events)

    def tend(self, now: int, too_old: int) -> None:
        """Give up old requests, connect again."""
        connection = self.connection
        if connection is None or connection.lost:
            if now - self._tried > _AGAIN_NS:
                self.connect()
        elif not connection.ready and now - self._tried > _PATIENCE_NS:
            connection.lose("the server takes the connection and says nothing")
        elif connection.going and not connection.in_flight:
            connection.lose("the server sent us away")
        else:
            connection.give_up(too_old)
            self.flush()


class Pool:
    """All connections of a worker and what they share."""

    def __init__(self, job: Job, samples: array[int]) -> None:
        """Connect to the job's servers in turn."""
        self.samples = samples
        self.answers = Answers(map(bytes.fromhex, job.tails))
        self.dialer = Dialer(job.tls)
        self.poll = select.epoll()
        self.by_descriptor: dict[int, Slot] = {}
        servers = job.target.split(",")
        headers = _headers(servers[0], "https" if job.tls else "http", job.timeout_s)
        self.question = Question(headers, [frames.framed(message) for message in job.messages()])
        self.slots = [Slot(self, servers[place % len(servers)]) for place in range(job.connections)]

    @property
    def refused(self) -> bool:
        """Nobody takes a connection."""
        return all(slot.connection is None or slot.connection.lost for slot in self.slots)

    def events(self, wait_ns: int) -> Iterator[Slot]:
        """Wait at most so long for something to come; the connections that read it, to be flushed."""
        # epoll waits for whole milliseconds, and for one more rather than less; select can wait for microseconds
        patience = wait_ns / 1e9 - 2e-3
        come = self.poll.poll(max(0.0, patience), _EVENTS)
        if not come and patience <= 0 < wait_ns:
            select.select([self.poll], (), (), wait_ns / 1e9)
            come = self.poll.poll(0, _EVENTS)
        for descriptor, event in come:
            slot = self.by_descriptor[descriptor]
            if slot.connection and event != select.EPOLLOUT:
                slot.connection.receive()
            yield slot

    def tend(self, too_old: int) -> None:
        """Once in a while: give up requests sent before that time, connect again what was lost."""
        now = time.monotonic_ns()
        for slot in self.slots:
            slot.tend(now, too_old)


def _headers(server: str, scheme: str, timeout_s: float) -> frames.Headers:
    return (
        (":method", "POST"),
        (":scheme", scheme),
        (":path", _METHOD),
        (":authority", server),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "tf-serving-suite-loadgen"),
        ("grpc-timeout", f"{min(round(timeout_s * 1000), 99_999_999)}m"),
    )
