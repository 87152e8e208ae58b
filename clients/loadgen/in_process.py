"""A process that runs a SavedModel itself: python -m clients.loadgen.in_process, told what to do on standard input.

It takes the same orders as the worker that asks a server and gives the same samples, so that the bare model's
figures stand beside the served ones. It alone of all clients imports TensorFlow. The time of a request is that of
handing its arrays to TensorFlow, running the signature, and taking all outputs back.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from clients.loadgen import schedule
from clients.loadgen.clocks import Clocks
from clients.loadgen.codes import Code
from clients.loadgen.orders import Inbox, Job, Run, say
from clients.wire import serving_pb2 as wire
from clients.wire import tensors
from model_config import keras_start

_POLL_S = 0.02
_THREADS = 16  # of an open loop: so many requests run at a time, the others wait, as in a server's thread pool
_DEFAULT = "serving_default"

Call = Callable[[int], None]  # runs the n-th request


class Runner:
    """Threads that run a model, and what they saw."""

    def __init__(self, call: Call, job: Job) -> None:
        """Nothing runs yet."""
        self._call = call
        self._file = os.open(job.samples, os.O_WRONLY | os.O_APPEND)
        self._samples = array("q")
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()
        self._texts: dict[str, str] = {}
        self._began = Clocks()

    def begin(self, run: Run) -> None:
        """Start the threads of a run."""
        self._stopped.clear()
        self._began = Clocks()
        tickets = _tickets(run)
        number = run.in_flight or _THREADS
        self._threads = [threading.Thread(target=self._ask, args=(tickets,), daemon=True) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no more requests."""
        self._stopped.set()

    def tend(self) -> None:
        """Hand over what was seen, and tell when a run is over."""
        over = bool(self._threads) and not any(thread.is_alive() for thread in self._threads)
        with self._lock:
            seen, self._samples = self._samples, array("q")
        if seen:
            os.write(self._file, seen)
        if over:
            self._threads = []
            say("done", replace(self._began.report(self._texts), in_process=True))

    def _ask(self, tickets: Iterator[tuple[int, int]]) -> None:
        while not self._stopped.is_set():
            with self._lock:
                number, due = next(tickets, (-1, 0))
            if number < 0 or self._stopped.wait(max(0.0, (due - time.monotonic_ns()) / 1e9)):
                return
            sent = time.monotonic_ns()
            code = self._run(number)
            with self._lock:
                self._samples.extend((due or sent, sent, time.monotonic_ns(), code))

    def _run(self, number: int) -> int:
        try:
            self._call(number)
        except Exception as error:  # whatever a model raises is an answer to be counted
            code = Code(getattr(error, "error_code", Code.INVALID_ARGUMENT))
            self._texts.setdefault(code.name, str(error)[:300])
            return int(code)
        return int(Code.OK)


def _tickets(run: Run) -> Iterator[tuple[int, int]]:
    """Each request's number and when it is due; a closed loop's when somebody is free, said as 0."""
    numbers = iter(range(run.requests)) if run.requests is not None else count()
    if run.in_flight:
        # the first ones wait for the beginning
        return ((number, run.at_ns if number < run.in_flight else 0) for number in numbers)
    due = schedule.arrivals(run.rate, run.arrival, run.seed)
    return ((number, run.at_ns + after) for number, after in zip(numbers, due))


def load(job: Job) -> Call:
    """The model of a folder, ready to run the job's requests."""
    keras_start.lighten()
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    requests = [wire.PredictRequest.FromString(message) for message in job.messages()]
    inputs = [{name: tensors.decode(proto) for name, proto in request.inputs.items()} for request in requests]
    model = tf.saved_model.load(job.target)
    run = model.signatures[requests[0].model_spec.signature_name or _DEFAULT]

    def call(number: int, kept: Any = model) -> None:  # a signature does not keep its variables alive
        arrays = inputs[number % len(inputs)]
        outputs = run(**{name: tf.constant(array) for name, array in arrays.items()})
        for output in outputs.values():
            output.numpy()

    return call


def main() -> None:
    """Load the model, say so, and run what comes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    inbox = Inbox()
    job = inbox.job()
    try:
        runner = Runner(load(job), job)
    except ImportError as error:
        say("ready", f"--in-process needs TensorFlow ({error}); install it with: pip install '.[convert]'")
        return
    except Exception as error:  # TensorFlow raises everything from KeyError to OSError for a folder that is no model
        say("ready", f"TensorFlow cannot load {job.target}: {type(error).__name__}: {error}")
        return
    say("ready", "")
    while not inbox.closed:
        for order in inbox.orders(_POLL_S):
            if isinstance(order, Run):
                runner.begin(order)
            else:
                runner.stop()
        runner.tend()


if __name__ == "__main__":
    main()
