"""What a pass has to say besides its result: it goes to the manifest and to the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_remarks: ContextVar[list[str] | None] = ContextVar("remarks", default=None)


def remark(sentence: str) -> None:
    """Say something about the graph at hand, such as why a pass left it as it was."""
    heard = _remarks.get()
    if heard is not None:
        heard.append(sentence)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Hear what is remarked inside the block."""
    heard: list[str] = []
    token = _remarks.set(heard)
    try:
        yield heard
    finally:
        _remarks.reset(token)
