"""Being told to stop: by Ctrl-C, by a supervisor, or by the terminal that closes."""

from __future__ import annotations

import signal
import threading


def stop_signal() -> threading.Event:
    """An event that SIGINT, SIGTERM and SIGHUP set; what nohup ignores stays ignored.

    An event, because an exception out of a signal handler may end up in whatever code runs at that moment.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop
