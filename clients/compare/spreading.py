"""Asking spread over processes, as one Python reads, sends and looks through only so much at a time.

As a program, ``python -m clients.compare.spreading FD``, it is one of them.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import Any, Final

from clients.ask import Expert
from clients.client import Client
from clients.compare.asking import Asking, Todo
from clients.compare.store import Record
from clients.connection import Connection
from evaluation.datasets.questions import Dataset
from model_config.errors import SuiteError
from model_config.models import Task

_Came = tuple[int, Record]
_Records = Generator[_Came, None, None]

_MOST: Final = 8
_MOST_READERS: Final = 16
_WORTH: Final = 500  # windows for each process, as it takes a second to start


@dataclass(frozen=True)
class Job:
    """Who is asked about what.

    Attributes:
        timeout_s: that one question may take.
        in_flight: requests under way at a time, those of all processes together.
    """

    connection: Connection
    timeout_s: float
    model: str
    task: Task
    dataset: Dataset
    in_flight: int


def experts(client: Client, model: str, versions: Sequence[int], task: Task, dataset: Dataset) -> dict[int, Expert]:
    """Every version, ready to be asked; ClientError where one is not served, SuiteError where the task does not fit."""
    return {v: Expert.connect(client, model, v, task=task, tensors=dataset.tensors) for v in versions}


def records(job: Job, asked: Mapping[int, Expert], todo: Sequence[Todo], workers: int | None = None) -> _Records:
    """What came of every question, with the version that answered; in any order.

    Args:
        asked: those who are asked by this process, where it is the only one.
        workers: processes that ask; as many as suit the machine and the work when None, and one for rows of arrays.

    Raises:
        ClientError: a version did not answer, or not rightly.
        BadAnswer: with NaN, or not one row a question.
        SuiteError: a process ended before it was done.
    """
    wished = workers or _workers(len(todo))
    size = min(wished, job.in_flight, len(todo)) if _of_files(job.dataset) else 1
    if size > 1:
        return _spread(job, todo, size)
    return Asking(asked, job.dataset, job.in_flight, _readers(1)).records(todo)


def _workers(windows: int) -> int:
    """Half of the processors, as a server on the same machine wants some too."""
    return max(1, min(_MOST, _processors() // 2, windows // _WORTH))


def _of_files(dataset: Dataset) -> bool:
    """Rows of arrays are there already, and each process would get a copy of all."""
    return all(question.path for question in dataset.questions)


def _readers(workers: int) -> int:
    """Threads of one process that read, so that all together are as many as there are processors."""
    return max(2, min(_MOST_READERS, _processors()) // workers)


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _spread(job: Job, todo: Sequence[Todo], size: int) -> _Records:
    """Processes take windows in turns; what they tell comes as it is ready."""
    light = replace(job, dataset=_to_read(job.dataset))
    with ExitStack() as stack:
        pipes = [stack.enter_context(_process()) for _ in range(size)]  # all start before the first is told anything
        for place, pipe in enumerate(pipes):
            mine = replace(light, in_flight=len(range(place, job.in_flight, size)))
            with suppress(OSError):  # it has ended; what it would have said is missed below
                pipe.send((mine, todo[place::size], size))
        while pipes:
            for pipe in wait(pipes):
                came = _received(pipe)
                if came is None:
                    pipes.remove(pipe)
                else:
                    yield came


def _to_read(dataset: Dataset) -> Dataset:
    """Without what only those need who judge."""
    return replace(dataset, questions=[replace(each, label=None) for each in dataset.questions], index=None, pairs=())


@contextmanager
def _process() -> Iterator[Any]:
    ours, its = multiprocessing.Pipe()
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(its.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
            start_new_session=True,  # Ctrl-C is for us, who end it
        )
    try:
        yield ours
    finally:
        process.terminate()
        process.wait()
        ours.close()


def _received(pipe: Any) -> _Came | None:
    """What one process tells next; None where it is done."""
    try:
        came: _Came | SuiteError | None = pipe.recv()
    except (EOFError, OSError) as error:
        raise SuiteError(
            "a process that asked ended before it was done, as it does when memory runs out; "
            "what was answered is kept, so go on with the same command and fewer --workers"
        ) from error
    if isinstance(came, SuiteError):
        raise came
    return came


def main(pipe: Pipe) -> None:
    """Do one process's share, and tell what came of it, what went wrong included."""
    with suppress(EOFError, ConnectionError):  # nobody is there any more
        job, todo, size = pipe.recv()
        try:
            _tell(pipe, job, todo, _readers(size))
        except SuiteError as error:
            pipe.send(error)
        else:
            pipe.send(None)


def _tell(pipe: Pipe, job: Job, todo: Sequence[Todo], readers: int) -> None:
    versions = sorted({version for each in todo for version in each.versions})
    with Client(job.connection, job.timeout_s) as client:
        asked = experts(client, job.model, versions, job.task, job.dataset)
        with closing(Asking(asked, job.dataset, job.in_flight, readers).records(todo)) as found:
            for each in found:
                pipe.send(each)


if __name__ == "__main__":
    main(Pipe(int(sys.argv[1])))
