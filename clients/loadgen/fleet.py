"""Worker processes: started together, told together, and what they saw gathered."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final

import numpy as np

from clients.errors import ServerUnavailable
from clients.loadgen.measured import Samples
from clients.loadgen.orders import Job, Report, Run, line
from model_config.errors import SuiteError

_HEAD_START_NS = 100_000_000  # between an order and the run's first request, so that all workers begin together
_NUMBERS = 4  # a request, as workers write them

WORKER: Final = "clients.loadgen.worker"
IN_PROCESS: Final = "clients.loadgen.in_process"


@dataclass
class _Worker:
    process: subprocess.Popen[str]
    samples: Path
    read: int = 0
    report: Report | None = None


class Fleet:
    """The workers of one measurement; they live within ``with``."""

    def __init__(self, job: Job, messages: Sequence[bytes], workers: int, module: str = WORKER) -> None:
        """Start them, each with its share of the job's connections.

        Args:
            job: what all of them do; where messages and samples lie is filled in here.
            messages: the serialised requests, which take turns.
            module: the program that a worker is.

        Raises:
            ServerUnavailable: there is nobody to ask.
            SuiteError: the model cannot be run.
        """
        self._folder = TemporaryDirectory(prefix="bench-")
        self.size = workers
        self._module = module
        bodies = Path(self._folder.name, "bodies")
        bodies.write_bytes(b"".join(messages))
        job = replace(job, bodies=str(bodies), sizes=[len(message) for message in messages])
        self._workers: list[_Worker] = []
        try:
            for place in range(workers):
                self._workers.append(self._start(job, place))
            for worker in self._workers:
                self._welcome(worker)
        except BaseException:
            self.close()
            raise

    def _start(self, job: Job, place: int) -> _Worker:
        samples = Path(self._folder.name, f"{place}.samples")
        samples.touch()
        process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, who end them in order
        )
        worker = _Worker(process, samples)
        share = max(1, _share(job.connections, place, self.size))
        _tell(worker, "job", replace(job, samples=str(samples), connections=share))
        return worker

    def _welcome(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        text = worker.process.stdout.readline()
        if not text:
            raise SuiteError(f"a worker process ended before it began (exit code {worker.process.wait()})")
        problem = json.loads(text)["ready"]
        if problem:
            raise ServerUnavailable(problem) if self._module == WORKER else SuiteError(problem)

    def begin(self, run: Run) -> int:
        """Start a run on all workers, which share its callers and requests; the time it begins, in ns."""
        start = time.monotonic_ns() + _HEAD_START_NS
        for place, worker in enumerate(self._workers):
            worker.report = None
            shared = replace(
                run,
                at_ns=start,
                in_flight=_share(run.in_flight, place, self.size),
                requests=None if run.requests is None else _share(run.requests, place, self.size),
                worker=place,
                workers=self.size,
            )
            _tell(worker, "run", shared)
        return start

    def stop(self) -> None:
        """Ask nothing more; answers that are under way are waited for."""
        for worker in self._workers:
            if worker.report is None:
                _tell(worker, "stop", None)

    @property
    def over(self) -> bool:
        """Every worker has ended its run."""
        for worker in self._workers:
            if worker.report is None:
                worker.report = _report(worker)
        return all(worker.report is not None for worker in self._workers)

    @property
    def reports(self) -> list[Report]:
        """One a worker, of the run that is over."""
        return [worker.report for worker in self._workers if worker.report]

    def new_samples(self) -> Samples:
        """What has come since the last time, [requests, 5]: due, sent, done (ns), code, worker."""
        return np.concatenate([_read(worker, place) for place, worker in enumerate(self._workers)])

    def close(self) -> None:
        """End the workers, as they end when nobody tells them anything more."""
        for worker in self._workers:
            _hang_up(worker.process)
        self._folder.cleanup()

    def __enter__(self) -> Fleet:
        """Use the workers in a ``with`` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them."""
        self.close()


def _share(whole: int, place: int, parts: int) -> int:
    return whole // parts + (place < whole % parts)


def _tell(worker: _Worker, name: str, content: Any) -> None:
    assert worker.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # that it died shows where its answer is read
        worker.process.stdin.write(line(name, content))
        worker.process.stdin.flush()


def _report(worker: _Worker) -> Report | None:
    pipe = worker.process.stdout
    assert pipe is not None
    if not select.select([pipe], (), (), 0)[0]:
        return None
    text = pipe.readline()
    if text:
        return Report(**json.loads(text)["done"])
    raise SuiteError(f"a worker process died (exit code {worker.process.wait()}); run the bench again")


def _read(worker: _Worker, place: int) -> Samples:
    row = np.dtype((np.int64, _NUMBERS))
    whole = worker.samples.stat().st_size // row.itemsize
    found = np.fromfile(worker.samples, row, whole - worker.read, offset=row.itemsize * worker.read)
    worker.read = whole
    return np.column_stack([found, np.full(len(found), place)])


def _hang_up(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
