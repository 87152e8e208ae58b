"""What the conductor tells a worker process, as lines of JSON on its standard input, and what comes back."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Tls:
    """Files in PEM: who is trusted, and for mutual TLS who we are; the server's name where the address is another."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    name: str = ""


@dataclass(frozen=True)
class Job:
    """What a worker does for as long as it lives.

    Attributes:
        target: a server's ``HOST:PORT``, several with commas, or a SavedModel's folder.
        bodies: a file with the requests' messages, one behind the other.
        sizes: of the messages in it, in bytes.
        tails: in hexadecimal digits, what answers of the right version may end in; [""] when that cannot be told.
        samples: where to append four 64-bit numbers a request: due, sent, done (ns), code.
        timeout_s: after which a request ends as DEADLINE_EXCEEDED.
    """

    target: str
    connections: int
    timeout_s: float
    tails: Sequence[str] = ("",)
    tls: Tls | None = None
    bodies: str = ""
    sizes: Sequence[int] = ()
    samples: str = ""

    def messages(self) -> list[bytes]:
        """The serialised requests."""
        with open(self.bodies, "rb") as file:
            return [file.read(size) for size in self.sizes]


@dataclass(frozen=True)
class Run:
    """One stretch of load, from ``at_ns`` until told to stop or ``requests`` have ended.

    Attributes:
        at_ns: on the machine's monotonic clock.
        in_flight: of this worker, for a closed loop; 0 for an open one.
        rate: of all workers, for an open loop.
        worker: from 0, of ``workers``.
    """

    at_ns: int
    in_flight: int = 0
    rate: float = 0.0
    arrival: str = "poisson"
    seed: int = 0
    worker: int = 0
    workers: int = 1
    requests: int | None = None


@dataclass(frozen=True)
class Report:
    """What a worker saw of itself in a run.

    Attributes:
        cpu_s: processor time of the worker.
        wall_s: as long as it ran.
        waited_s: as long as it could have gone on, but other processes had the processor.
        texts: what the server said with each code, the first time.
        in_process: the worker ran the model itself, so its processor time is the model's.
    """

    cpu_s: float
    wall_s: float
    waited_s: float
    texts: dict[str, str]
    in_process: bool = False


def line(name: str, content: Any) -> str:
    """One message."""
    return json.dumps({name: asdict(content) if hasattr(content, "__dataclass_fields__") else content}) + "\n"


def say(name: str, content: Any) -> None:
    """Send a message to who started this process."""
    sys.stdout.write(line(name, content))
    sys.stdout.flush()


class Inbox:
    """The orders on standard input, read without waiting for more of them.

    Attributes:
        closed: who gave the orders is gone.
    """

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.closed = False
        self._half = b""
        self._poll = select.poll()
        self._poll.register(sys.stdin.fileno(), select.POLLIN)

    def job(self) -> Job:
        """Wait for the first order, which is the job."""
        while b"\n" not in self._half and not self.closed:
            self._read()
        text, _, self._half = self._half.partition(b"\n")
        content = json.loads(text)["job"]
        tls = content.pop("tls")
        return Job(**content, tls=Tls(**tls) if tls else None)

    def orders(self, wait_s: float = 0.0) -> list[Run | None]:
        """What came meanwhile: runs, and None to stop."""
        if self._poll.poll(wait_s * 1000):
            self._read()
        *lines, self._half = self._half.split(b"\n")
        contents = map(json.loads, lines)
        return [Run(**content["run"]) if "run" in content else None for content in contents]

    def _read(self) -> None:
        # not by lines: what a reader of lines keeps to itself, poll does not see
        more = os.read(sys.stdin.fileno(), 2**16)
        self._half += more
        self.closed = not more
