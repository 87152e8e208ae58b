"""One comparison from a running server: who is asked, where the answers lie, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients import checking
from clients.ask import Expert
from clients.client import Client
from clients.compare.asking import Asking, Told
from clients.compare.store import About, Store
from clients.compare.windows import Shard, windows
from evaluation.datasets.questions import Dataset
from model_config import base_path, manifest
from model_config.models import Task

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
    """

    model: str
    versions: tuple[int, ...]
    task: Task
    repository: Path
    folder: Path
    batch: int = 1
    in_flight: int = 4
    shard: Shard = _ALL

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
    experts = {version: _expert(client, wanted, version, dataset) for version in wanted.versions}
    for version in wanted.versions:
        checking.require_batch(client.signature(wanted.model, version), wanted.batch)
    asked = windows(len(dataset.questions), wanted.batch, wanted.shard)
    with stores(wanted.folder, wanted.versions) as files:
        for version, store in files.items():
            store.begin(_about(client, wanted, version, dataset))
            told(version, len(store))
        Asking(experts, files, dataset, wanted.in_flight, told).run(asked)
    return experts


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


def _expert(client: Client, wanted: Wanted, version: int, dataset: Dataset) -> Expert:
    return Expert.connect(client, wanted.model, version, task=wanted.task, tensors=dataset.tensors)


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
