"""How an operation of several calls is told apart from the way it waits: it yields calls and is sent what came back."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, TypeVar, Union

from clients.errors import ClientError
from model_config.errors import SuiteError

Answered = TypeVar("Answered")

_LEAST_S: Final = 0.001  # what a call gets when its time is up, so that it ends as one that took too long


@dataclass(frozen=True)
class Call:
    """One message to send: to which method, and how long to wait for the answer in seconds."""

    method: str
    content: bytes
    timeout_s: float


# what came back: the bytes of an answer, or what went wrong; None before anything was sent
Outcome = Union[bytes, ClientError, None]
Steps = Generator[Call, bytes, Answered]


def resumed(steps: Steps[Any], outcome: Outcome) -> Call:
    """The next call of an operation that is told the outcome of its last one; StopIteration brings its result."""
    if isinstance(outcome, ClientError):
        return steps.throw(outcome)
    return next(steps) if outcome is None else steps.send(outcome)


class Deadline:
    """When an operation must have ended, however many calls it takes."""

    def __init__(self, seconds: float) -> None:
        """So many seconds from now; SuiteError when that is never, or has been."""
        if not 0 < seconds < float("inf"):
            raise SuiteError(f"a question may take some time, but not for ever: a timeout above 0, not {seconds}")
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds until then."""
        return max(_LEAST_S, self._end - time.monotonic())
