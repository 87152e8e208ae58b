"""Ask every version every question: pictures are read and encoded ahead, so that the server always has work."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from clients.ask import Expert
from clients.compare.store import Arrays, Record, Store
from clients.compare.windows import Window, together
from clients.errors import ClientError
from clients.reading import Prediction
from clients.spec import DEFAULT_SIGNATURE, spec_of
from clients.wire import framing
from clients.wire.serving_pb2 import ModelSpec
from evaluation.datasets.questions import Content, Dataset
from evaluation.errors import BadAnswer, BadPicture
from evaluation.tasks.encoding import Encoder

Told = Callable[[int, int], None]  # a version, and how many more questions are done with


class _Read(NamedTuple):
    """A question's picture or tensors; or why there is none."""

    place: int
    content: Content | None
    unread: str | None = None


class _Encoded(NamedTuple):
    """Questions that go to a server together, as arrays."""

    questions: Sequence[_Read]
    inputs: Arrays


class _Request(NamedTuple):
    """The same for one version, as the bytes that travel."""

    questions: Sequence[_Read]
    spec: ModelSpec
    content: bytes


class _Asked(NamedTuple):
    """A window's questions under way to one version, and why some of them are not."""

    version: int
    unread: Sequence[_Read]
    requests: Sequence[_Request]
    answers: Future[list[Prediction]]


@dataclass(frozen=True)
class Asking:
    """Who is asked what, and how many requests are under way at a time.

    Attributes:
        experts: by version.
        stores: by version; what is there is not asked.
        told: after every question.
    """

    experts: Mapping[int, Expert]
    stores: Mapping[int, Store]
    dataset: Dataset
    in_flight: int
    told: Told

    def run(self, windows: Iterable[Window]) -> None:
        """Ask until every version has answered everything; a second run goes on where the first one ended.

        Raises:
            ClientError: a version did not answer, or not rightly.
            BadAnswer: with NaN, or not one row a question.
        """
        done = {version: store.done() for version, store in self.stores.items()}
        left = ((window, [v for v in self.experts if not done[v].issuperset(window)]) for window in windows)
        readers, callers = ThreadPoolExecutor(_READERS), ThreadPoolExecutor(self.in_flight)
        ahead = self.in_flight + 2 * _READERS
        try:
            live: deque[Future[list[_Asked]]] = deque()
            for window, versions in left:
                if versions:
                    live.append(readers.submit(self._started, window, versions, callers))
                if len(live) > ahead:
                    self._keep(live.popleft().result())
            while live:
                self._keep(live.popleft().result())
        finally:
            # what is under way ends by itself; of the rest nothing starts, Ctrl-C or not
            readers.shutdown(cancel_futures=True)
            callers.shutdown(cancel_futures=True)

    def _started(self, window: Window, versions: Sequence[int], callers: ThreadPoolExecutor) -> list[_Asked]:
        """Read a window's questions and hand them over, encoded once where versions want them alike."""
        read = [_read(self.dataset, place) for place in window]
        unread = [each for each in read if each.unread]
        found, before, encoded = [], None, list[_Encoded]()
        for version in versions:
            expert = self.experts[version]
            if expert.task.encoder != before:
                before, encoded = expert.task.encoder, list(_encoded(expert, read))
            requests = [_request(expert, each) for each in encoded]
            found.append(_Asked(version, unread, requests, callers.submit(self._send, version, requests)))
        return found

    def _send(self, version: int, requests: Sequence[_Request]) -> list[Prediction]:
        """What callers do, and nothing else, so that the server does not wait for them."""
        return [self._sent(version, request) for request in requests]

    def _sent(self, version: int, request: _Request) -> Prediction:
        try:
            return self.experts[version].client.send(request.spec, request.content)
        except ClientError as error:
            first = self._name(request.questions[0].place)
            told = type(error)(f"version {version}, asked about {first}: {error}")
            told.code = error.code
            raise told from error

    def _keep(self, window: Iterable[_Asked]) -> None:
        for asked in window:
            answers = asked.answers.result()
            for record in self._records(asked, answers):
                self.stores[asked.version].add(record)
                self.told(asked.version, 1)

    def _records(self, asked: _Asked, answers: Sequence[Prediction]) -> Iterator[Record]:
        for each in asked.unread:
            yield Record(each.place, self._name(each.place), None, None, each.unread)
        for request, answer in zip(asked.requests, answers):
            who = f"version {asked.version} about {self._name(request.questions[0].place)}"
            for row, question in enumerate(request.questions):
                outputs = _row(answer.outputs, row, len(request.questions), who)
                name = self._name(question.place)
                _require_numbers(outputs, asked.version, name)
                yield Record(question.place, name, _size(question.content), outputs)

    def _name(self, place: int) -> str:
        return self.dataset.questions[place].name


_READERS = max(2, min(4, os.cpu_count() or 1))


def _read(dataset: Dataset, place: int) -> _Read:
    try:
        return _Read(place, dataset.questions[place].read())
    except BadPicture as error:
        return _Read(place, None, str(error))


def _request(expert: Expert, encoded: _Encoded) -> _Request:
    spec = spec_of(expert.model, expert.version, signature=DEFAULT_SIGNATURE)
    return _Request(encoded.questions, spec, framing.predict_request(spec, encoded.inputs, expert.task.outputs))


def _encoded(expert: Expert, read: Sequence[_Read]) -> Iterator[_Encoded]:
    there = [each for each in read if each.content is not None]
    encoder = expert.task.encoder
    free = isinstance(encoder, Encoder) and encoder.frame is None
    sizes = [_size(each.content) if free else None for each in there]
    for group in together(range(len(there)), sizes):
        chosen = [there[place] for place in group]
        inputs, _ = expert.task.encode([each.content for each in chosen])
        yield _Encoded(chosen, inputs)


def _size(content: Any) -> tuple[int, int] | None:
    """Height and width of a picture."""
    return (content.shape[0], content.shape[1]) if isinstance(content, np.ndarray) else None


def _row(outputs: Arrays, row: int, rows: int, who: str) -> Arrays:
    """One question's part of a batch, as a batch of one."""
    for name, array in outputs.items():
        if array.ndim == 0 or len(array) != rows:
            raise BadAnswer(
                f"{who}: output {name} came as {list(array.shape)}, which is not one row for each of {rows} questions"
            )
    return {name: array[row : row + 1] for name, array in outputs.items()}


def _require_numbers(outputs: Arrays, version: int, name: str) -> None:
    for output, array in outputs.items():
        if array.dtype.kind not in "OSUb" and not np.isfinite(array.astype(np.float64)).all():
            raise BadAnswer(
                f"version {version} answered NaN or an infinite number in output {output} about {name}; "
                "build the version again by another recipe, or leave it out"
            )
