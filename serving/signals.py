"""Being told to stop: by Ctrl-C, by a supervisor, or by the terminal that closes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Collection


def stop_signal() -> threading.Event:
    """An event that SIGINT, SIGTERM and SIGHUP set; what nohup ignores stays ignored.

    An event, because an exception out of a signal handler may end up in whatever code runs at that moment. A thread
    of its own sets it, because a handler waits for the main thread to run Python, and a main thread that is about to
    wait when the signal comes does not before the next one.
    """
    stop = threading.Event()
    numbers = [each for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if _is_heard(each)]
    arrived, arriving = os.pipe()
    os.set_blocking(arriving, False)
    signal.set_wakeup_fd(arriving, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _pass_over)
    threading.Thread(target=_set_on, args=(numbers, arrived, stop), name="signals", daemon=True).start()
    return stop


def _is_heard(number: int) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN


def _set_on(numbers: Collection[int], arrived: int, stop: threading.Event) -> None:
    while os.read(arrived, 1)[0] not in numbers:
        pass
    stop.set()


def _pass_over(*_: object) -> None:
    """The number of the signal is in the pipe."""
