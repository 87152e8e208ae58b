"""Ctrl-C in one sentence, whenever it comes: while a program is still starting, cleaning up, or already ending."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

EXIT_CODE: Final = 130  # what shells report for a program ended by Ctrl-C
SENTENCE: Final = "interrupted; nothing half done is left, run it again when you like"
_LATER_S: Final = 0.05


def prepare() -> None:
    """Tell it so in this process from now on; to be called before anything that takes time is imported."""
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable


@contextmanager
def ignored_at_the_end() -> Iterator[None]:
    """Once the work is done, or has said why not, nothing is left to interrupt: what comes then only makes noise."""
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print(f"error: {SENTENCE}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _unraisable(told: Any) -> None:
    """Where it cannot be raised, such as in an object's end, it is raised a little later instead of getting lost."""
    if issubclass(told.exc_type, KeyboardInterrupt):
        # a signal to the main thread, as only that ends its waiting
        later = threading.Timer(_LATER_S, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        later.daemon = True
        later.start()
    else:
        sys.__unraisablehook__(told)
