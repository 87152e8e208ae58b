"""One version's answers in a file, written as they come: what is there is not asked again, and memory stays small."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import numpy as np

from clients.wire import answers, tensors
from clients.wire import serving_pb2 as wire
from model_config.errors import SuiteError
from model_config.signatures import Signature, Tensor

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS about (content TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS answers (
        place INTEGER PRIMARY KEY, name TEXT NOT NULL, height INTEGER, width INTEGER, outputs BLOB, unread TEXT
    );
"""
_KEPT_S: Final = 0.5  # answers that came within so many seconds are lost at most when the power fails


@dataclass(frozen=True)
class About:
    """What a file's answers are answers to: all that would change them.

    Attributes:
        manifest: hash of the version's manifest, where it can be seen from here.
        data: hash of the data set.
        task: how pictures are encoded and answers decoded, as JSON.
        batch: questions a request.
        questions: of the whole data set.
        shard: such as ``1/1``.
    """

    model: str
    version: int
    manifest: str | None
    recipe: str | None
    data: str
    task: str
    signature: Signature
    batch: int
    questions: int
    shard: str

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> About:
        """The same again."""
        document = json.loads(text)
        return cls(**{**document, "signature": _signature(document["signature"])})


class Record(NamedTuple):
    """What came of one question.

    Attributes:
        size: height and width of its picture.
        outputs: arrays with a batch of one; None where it could not be asked.
        unread: why not.
    """

    place: int
    name: str
    size: tuple[int, int] | None
    outputs: Arrays | None
    unread: str | None = None


class Store:
    """A file of answers; use it with ``with``, which keeps what was written when all goes wrong."""

    def __init__(self, path: Path) -> None:
        """Open a file, which is made if it is not there; SuiteError when it is no such file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._kept = time.monotonic()
        try:
            self._file = sqlite3.connect(str(path))
            self._file.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise SuiteError(
                f"{path} cannot be used as a file of answers ({error}); delete it, or name another --output"
            ) from error

    @property
    def about(self) -> About | None:
        """What it holds answers to; None while it is new, and where another program wrote it."""
        row = self._file.execute("SELECT content FROM about").fetchone()
        try:
            return None if row is None else About.from_json(row[0])
        except (ValueError, TypeError, KeyError):
            return None

    def begin(self, about: About) -> bool:
        """Go on where the same was asked before, and start anew where not; tells whether other answers made room."""
        if self.about == about and not self._finished:
            return False
        lost = len(self) > 0
        self.clear()
        self._file.execute("DELETE FROM about")
        self._file.execute("INSERT INTO about (content) VALUES (?)", (about.to_json(),))
        self._file.commit()
        return lost

    def clear(self) -> None:
        """No answers are left."""
        self._file.execute("DELETE FROM answers")

    def finish(self) -> None:
        """All was made of it that was to be made: who begins again asks anew."""
        self._file.execute("UPDATE about SET finished = 1")
        self._file.commit()

    @property
    def _finished(self) -> bool:
        row = self._file.execute("SELECT finished FROM about").fetchone()
        return row is not None and bool(row[0])

    def __len__(self) -> int:
        """Questions that are done with."""
        return int(self._file.execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def done(self) -> set[int]:
        """The places of questions that are done with."""
        return {place for (place,) in self._file.execute("SELECT place FROM answers")}

    def add(self, record: Record) -> None:
        """Write one answer; soon it is safe on disk."""
        content = None if record.outputs is None else _packed(record.outputs)
        height, width = record.size or (None, None)
        row = (record.place, record.name, height, width, content, record.unread)
        self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)
        if time.monotonic() - self._kept > _KEPT_S:
            self.flush()

    def flush(self) -> None:
        """All of it is safe now."""
        self._file.commit()
        self._kept = time.monotonic()

    def records(self) -> Iterator[Record]:
        """Every answer in the data set's order."""
        rows = self._file.execute("SELECT place, name, height, width, outputs, unread FROM answers ORDER BY place")
        for place, name, height, width, content, unread in rows:
            size = None if height is None else (height, width)
            outputs = None if content is None else answers.read_predict_response(content).outputs
            yield Record(place, name, size, outputs, unread)

    def take(self, other: Store) -> None:
        """Copy all answers of another file."""
        rows = other._file.execute("SELECT * FROM answers ORDER BY place")
        self._file.executemany("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.flush()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()
        self._file.close()


def _packed(outputs: Arrays) -> bytes:
    """As the message of a server's answer, which knows every type of number."""
    message = wire.PredictResponse()
    for name in sorted(outputs):
        tensors.encode(outputs[name], message.outputs[name])
    return message.SerializeToString(deterministic=True)


def _signature(document: Mapping[str, Any]) -> Signature:
    inputs, outputs = ({name: _tensor(each) for name, each in document[side].items()} for side in ("inputs", "outputs"))
    return Signature(document["method_name"], inputs, outputs)


def _tensor(document: Mapping[str, Any]) -> Tensor:
    shape = document["shape"]
    return Tensor(document["dtype"], None if shape is None else tuple(shape))
