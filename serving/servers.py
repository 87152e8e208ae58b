"""Servers from their start to their end: started by a plan, watched, stopped."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model_config.console import stderr
from model_config.errors import ServeError
from serving import address, notes, process
from serving.plan import Plan

_POLL_S = 0.1


@dataclass(frozen=True)
class Server:
    """A server that is our child."""

    child: subprocess.Popen[bytes]
    running: notes.Running

    @property
    def failed(self) -> bool:
        """It ended, nobody having asked it to."""
        return bool(self.child.poll()) and notes.is_noted(self.running.port)

    def stop(self) -> None:
        """End it and forget it."""
        process.stop_child(self.child, self.running)
        notes.forget(self.running.port)


def start(plan: Plan, stop: threading.Event, timeout_s: float) -> Server:
    """Start a server, and return when every version of it answers; on any error nothing is left of it.

    Raises:
        ServeError: a port is taken, or the server ended or cannot load a version; the text says why.
        KeyboardInterrupt: we were told to stop before it was ready.
    """
    if notes.orphaned(plan.launch.port):
        _bury(plan.launch.port)
    address.require_free(plan.launch.port, plan.launch.host)
    address.require_free(plan.launch.rest_port, plan.launch.host, "--rest-port")
    plan.choice.backend.prepare(plan.launch)
    try:
        plan.bundle.write(plan.launch.bundle)
        child = _started(plan)
        running = replace(plan.running, pid=child.pid)
        with process.stopped_on_error(child, running):
            _wait(running, child, stop, timeout_s)
            notes.note(running)
    except BaseException:
        notes.forget(plan.launch.port)
        raise
    return Server(child, running)


def _started(plan: Plan) -> subprocess.Popen[bytes]:
    variables = {**os.environ, **plan.launch.environment}
    try:
        return process.start(plan.argv, plan.running.log, variables)
    except OSError as error:
        reason = (error.strerror or "refused").lower()
        raise ServeError(f"cannot start {plan.argv[0]}: {reason}; use another backend") from error


def _wait(running: notes.Running, child: subprocess.Popen[bytes], stop: threading.Event, timeout_s: float) -> None:
    from serving import ready

    def go_on() -> None:
        process.require_alive(child, running.log)
        if stop.is_set():
            raise KeyboardInterrupt

    with stderr().status(f"loading {running.what}"):
        ready.wait(ready.Target.of(running), running.models, timeout_s, go_on)


def stay(servers: Sequence[Server], stop: threading.Event) -> None:
    """Return when the servers have ended: by themselves, by ``down`` or because we were told to stop.

    Raises:
        ServeError: one ended by itself, in error; the others are stopped.
    """
    while not stop.is_set() and all(each.child.poll() is None for each in servers):
        stop.wait(_POLL_S)
    failed = [each for each in servers if not stop.is_set() and each.failed]
    for each in servers:
        each.stop()
    for each in failed:
        process.require_alive(each.child, each.running.log)


def stop_noted(port: int) -> notes.Running:
    """Stop the server that we started on a port; ServeError when there is none."""
    running = notes.noted(port)
    if running is None:
        return _bury(port)
    notes.forget(port)  # before it ends, so that a command that stays with it sees that it was meant
    notes.end(running)
    process.clean_up(running)
    return running


def _bury(port: int) -> notes.Running:
    """Tidy up after a killed server, whose container may still run."""
    running = notes.orphaned(port)
    notes.forget(port)
    if running is None:
        raise ServeError(f"no server that was started from this folder runs on port {port}; nothing to stop")
    process.clean_up(running)
    return running
