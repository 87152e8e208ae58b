"""How far a long pass has come: it goes to the terminal while the pass runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# what is done, of how much, and what is being done now
Progress = Callable[[int, int, str], None]

_listener: ContextVar[Progress | None] = ContextVar("progress", default=None)


def advance(done: int, total: int, words: str) -> None:
    """Say that ``done`` of ``total`` is done, and what comes now."""
    heard = _listener.get()
    if heard is not None:
        heard(done, total, words)


@contextmanager
def followed(listener: Progress) -> Iterator[None]:
    """Hear how the passes inside the block get on."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
