"""What makes two data sets the same: names, sizes and labels of all that is asked, in its order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from evaluation.datasets.questions import Question

_CHUNK = 1 << 20


def of(questions: Iterable[Question], *files: Path) -> str:
    """A hash that changes with any question, and with any byte of ``files``.

    Pictures go into it by name and size, as reading all of them would take as long as asking.
    """
    digest = hashlib.sha256()
    for path in files:
        _add(digest, path)
    for question in questions:
        digest.update(f"{question.id}\0{question.name}\0{_size(question.path)}\0{question.label!r}\n".encode())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)


def _size(path: Path | None) -> int:
    try:
        return -1 if path is None else path.stat().st_size
    except OSError:
        return -1  # it is told when it is asked
