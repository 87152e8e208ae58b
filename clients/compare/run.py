"""One comparison from a running server: who is asked, where the answers lie, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients import checking
from clients.ask import Expert
from clients.client import Client
from clients.compare import spreading
from clients.compare.asking import Todo
from clients.compare.spreading import Job
from clients.compare.store import About, Store
from clients.compare.windows import Shard, windows
from evaluation.datasets.questions import Dataset
from model_config import base_path, manifest
from model_config.models import Task

Told = Callable[[int, int], None]  # a version, and how many more questions are done with

ANSWERS = "answers"  # the folder of their files in that of the results


_ALL: Final = Shard()


@dataclass(frozen=True)
class Wanted:
    """What is to be compared, and where what is needed lies.

    Attributes:
        versions: the first one is what the others are held against.
        repository: where the versions' folders are looked up.
        folder: of the results.
        batch: questions a request.
        in_flight: requests under way at a time.
        workers: processes that ask; as many as suit the machine when None.
    """

    model: str
    versions: tuple[int, ...]
    task: Task
    repository: Path
    folder: Path
    batch: int = 1
    in_flight: int = 4
    shard: Shard = _ALL
    workers: int | None = None

    def places(self, dataset: Dataset) -> list[int]:
        """The questions of the shard."""
        return [place for window in windows(len(dataset.questions), self.batch, self.shard) for place in window]

    def built(self, version: int) -> base_path.Version | None:
        """A version's folder, where it can be seen from here."""
        return base_path.scan(self.repository, self.model).get(version)


def ask(client: Client, wanted: Wanted, dataset: Dataset, told: Told) -> dict[int, Expert]:
    """Ask all versions what they have not been asked yet; gives those who were asked.

    Raises:
        ClientError: a version is not served, or does not answer rightly.
    """
    experts = spreading.experts(client, wanted.model, wanted.versions, wanted.task, dataset)
    for version in wanted.versions:
        checking.require_batch(client.signature(wanted.model, version), wanted.batch)
    with stores(wanted.folder, wanted.versions) as files:
        for version, store in files.items():
            store.begin(_about(client, wanted, version, dataset))
            told(version, len(store))
        job = Job(client.connection, client.timeout_s, wanted.model, wanted.task, dataset, wanted.in_flight)
        with closing(spreading.records(job, experts, _todo(wanted, dataset, files), wanted.workers)) as records:
            for version, record in records:
                files[version].add(record)
                told(version, 1)
    return experts


def _todo(wanted: Wanted, dataset: Dataset, files: Mapping[int, Store]) -> list[Todo]:
    """What is not there yet; all of a window is asked again where a part of it is missing."""
    done = {version: store.done() for version, store in files.items()}
    asked = windows(len(dataset.questions), wanted.batch, wanted.shard)
    left = (Todo(window, [v for v in files if not done[v].issuperset(window)]) for window in asked)
    return [each for each in left if each.versions]


def place(folder: Path, version: int) -> Path:
    """Where a version's answers are in a folder of results."""
    return folder / ANSWERS / f"{version}.sqlite"


@contextmanager
def stores(folder: Path, versions: tuple[int, ...]) -> Iterator[dict[int, Store]]:
    """The files of answers, by version."""
    with ExitStack() as stack:
        yield {v: stack.enter_context(Store(place(folder, v))) for v in versions}


def finish(wanted: Wanted) -> None:
    """The comparison is done: who asks for it again wants it done again."""
    with stores(wanted.folder, wanted.versions) as files:
        for store in files.values():
            store.finish()


def _about(client: Client, wanted: Wanted, version: int, dataset: Dataset) -> About:
    built = wanted.built(version)
    made = built.manifest if built else None
    path = built.path / manifest.PLACE if built else None
    return About(
        model=wanted.model,
        version=version,
        manifest=hashlib.sha256(path.read_bytes()).hexdigest() if made and path else None,
        recipe=made.recipe if made else None,
        data=dataset.sha256,
        task=wanted.task.model_dump_json(include={"type", "encode", "decode"}),
        signature=client.signature(wanted.model, version),
        batch=wanted.batch,
        questions=len(dataset.questions),
        shard=str(wanted.shard),
    )


def recipes(files: Mapping[int, Store]) -> dict[int, str]:
    """The recipe of each version, as far as it was known when it was asked."""
    return {version: (store.about and store.about.recipe) or "unknown" for version, store in files.items()}
