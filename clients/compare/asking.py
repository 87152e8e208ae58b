"""Ask every version every question: pictures are read and encoded ahead, so that the server always has work."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import cv2
import numpy as np

from clients.ask import Expert
from clients.compare.flights import Flights
from clients.compare.store import Arrays, Record
from clients.compare.windows import Window, together
from clients.errors import ClientError
from clients.reading import Prediction, read_prediction
from clients.spec import DEFAULT_SIGNATURE, spec_of
from clients.wire import framing
from clients.wire import serving_pb2 as wire
from evaluation.datasets.questions import Content, Dataset
from evaluation.errors import BadAnswer, BadPicture
from evaluation.tasks.encoding import Encoder
from evaluation.tasks.placing import Size


class Todo(NamedTuple):
    """Questions that go together, and the versions that have not answered all of them."""

    window: Window
    versions: Sequence[int]


class _Read(NamedTuple):
    """A question's picture or tensors; or why there is none."""

    place: int
    content: Content | None
    unread: str | None = None


class _Encoded(NamedTuple):
    """Questions that go to a server together, as arrays."""

    questions: Sequence[_Read]
    inputs: Arrays


class _Part(NamedTuple):
    """Questions that went to a version together, with the sizes of their pictures, and what will be answered.

    Answers are read where there is time for it: what is done the moment one comes keeps the next request waiting.
    """

    places: Sequence[int]
    sizes: Sequence[Size | None]
    spec: wire.ModelSpec
    answer: Future[bytes]


class _Asked(NamedTuple):
    """A window's questions to one version, and why some of them are not under way."""

    version: int
    unread: Sequence[_Read]
    parts: Sequence[_Part]


@dataclass(frozen=True)
class Asking:
    """Who is asked about what, how many requests are under way at a time, and how many threads read.

    Attributes:
        experts: by version.
    """

    experts: Mapping[int, Expert]
    dataset: Dataset
    in_flight: int
    readers: int

    def records(self, todo: Iterable[Todo]) -> Generator[tuple[int, Record], None, None]:
        """What came of every question, with the version; in the order of the windows.

        Raises:
            ClientError: a version did not answer, or not rightly.
            BadAnswer: with NaN, or not one row a question.
        """
        ahead = self.in_flight + 2 * self.readers + _LATE
        with (
            Flights[bytes](self.in_flight, 2 * self.readers) as flights,
            _reading(self.readers, flights) as readers,
        ):
            live: deque[Future[list[_Asked]]] = deque()
            for window, versions in todo:
                live.append(readers.submit(self._started, window, versions, flights))
                if len(live) > ahead:
                    yield from self._ended(live.popleft().result())
            while live:
                yield from self._ended(live.popleft().result())

    def _started(self, window: Window, versions: Sequence[int], flights: Flights[bytes]) -> list[_Asked]:
        """Read a window's questions and hand them over, encoded once where versions want them alike."""
        read = [_read(self.dataset, place) for place in window]
        unread = [each for each in read if each.unread]
        found, before, encoded = [], None, list[_Encoded]()
        for version in versions:
            expert = self.experts[version]
            if expert.task.encoder != before:
                before, encoded = expert.task.encoder, list(_encoded(expert, read))
            found.append(_Asked(version, unread, [_part(expert, each, flights) for each in encoded]))
        return found

    def _ended(self, window: Iterable[_Asked]) -> Iterator[tuple[int, Record]]:
        for asked in window:
            for record in self._records(asked):
                yield asked.version, record

    def _records(self, asked: _Asked) -> Iterator[Record]:
        for each in asked.unread:
            yield Record(each.place, self._name(each.place), None, None, each.unread)
        for part in asked.parts:
            answer = self._answer(asked.version, part)
            who = f"version {asked.version} about {self._name(part.places[0])}"
            for row, (place, size) in enumerate(zip(part.places, part.sizes)):
                outputs = _row(answer.outputs, row, len(part.places), who)
                name = self._name(place)
                _require_numbers(outputs, asked.version, name)
                yield Record(place, name, size, outputs)

    def _answer(self, version: int, part: _Part) -> Prediction:
        try:
            return read_prediction(part.answer.result(), part.spec)
        except ClientError as error:
            told = type(error)(f"version {version}, asked about {self._name(part.places[0])}: {error}")
            told.code = error.code
            raise told from error

    def _name(self, place: int) -> str:
        return self.dataset.questions[place].name


# windows that may be answered and not written yet, as answers are safe on disk only after a while
_LATE: Final = 16


@contextmanager
def _reading(threads: int, flights: Flights[bytes]) -> Iterator[ThreadPoolExecutor]:
    """Threads that read; in the end they stop, Ctrl-C or not, also those that wait for a place in the queue."""
    readers, before = ThreadPoolExecutor(threads), cv2.getNumThreads()
    cv2.setNumThreads(1)  # as every thread has a picture of its own, and those of OpenCV wait by spinning
    try:
        yield readers
    finally:
        flights.close()
        readers.shutdown(cancel_futures=True)
        cv2.setNumThreads(before)


def _read(dataset: Dataset, place: int) -> _Read:
    try:
        return _Read(place, dataset.questions[place].read())
    except BadPicture as error:
        return _Read(place, None, str(error))


def _part(expert: Expert, encoded: _Encoded, flights: Flights[bytes]) -> _Part:
    spec = spec_of(expert.model, expert.version, signature=DEFAULT_SIGNATURE)
    content = framing.predict_request(spec, encoded.inputs, expert.task.outputs)
    sizes = [_size(each.content) for each in encoded.questions]
    return _Part(
        [each.place for each in encoded.questions],
        sizes,
        spec,
        flights.ask(lambda: expert.client.deliver_future(spec, content)),
    )


def _encoded(expert: Expert, read: Sequence[_Read]) -> Iterator[_Encoded]:
    there = [each for each in read if each.content is not None]
    encoder = expert.task.encoder
    free = isinstance(encoder, Encoder) and encoder.frame is None
    sizes = [_size(each.content) if free else None for each in there]
    for group in together(range(len(there)), sizes):
        chosen = [there[place] for place in group]
        inputs, _ = expert.task.encode([each.content for each in chosen])
        yield _Encoded(chosen, inputs)


def _size(content: Any) -> Size | None:
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
