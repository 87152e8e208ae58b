"""Files of answers that were asked for in parts, put together as if one had asked for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from clients.compare import run
from clients.compare.store import About, Store
from clients.compare.windows import Shard, windows
from evaluation.datasets.questions import Dataset
from model_config.errors import SuiteError

_WHOLE: Final = Shard()


class _Part(NamedTuple):
    """One shard's answers of one version."""

    folder: Path
    store: Store
    about: About

    @property
    def shard(self) -> Shard:
        return Shard.parse(self.about.shard)


def model_of(folders: Sequence[Path]) -> tuple[str, tuple[int, ...]]:
    """Which model the parts are about, and which of its versions; SuiteError when there are none."""
    found = [_versions(folder) for folder in folders]
    if any(each != found[0] for each in found):
        raise SuiteError(
            f"{folders[0]} has answers of {_list(found[0])}, but {_other(folders, found)}; merge what belongs together"
        )
    with ExitStack() as stack:
        part = _part(stack, folders[0], found[0][0])
        return part.about.model, found[0]


def merge(folders: Sequence[Path], wanted: run.Wanted, dataset: Dataset) -> None:
    """Put the answers of all parts into the files of ``wanted.folder``.

    Raises:
        SuiteError: parts are missing or there twice, are not done, or were asked something else.
    """
    with run.stores(wanted.folder, wanted.versions) as files:
        for version, store in files.items():
            with ExitStack() as stack:
                parts = [_part(stack, folder, version) for folder in folders]
                _require_all(parts, dataset)
                store.begin(replace(parts[0].about, shard=str(_WHOLE)))
                store.clear()
                for part in parts:
                    store.take(part.store)


def _versions(folder: Path) -> tuple[int, ...]:
    names = [path.stem for path in (folder / run.ANSWERS).glob("*.sqlite")]
    versions = tuple(sorted(int(name) for name in names if name.isdigit()))
    if not versions:
        raise SuiteError(f"{folder} holds no answers; name folders that compare --shard has written")
    return versions


def _part(stack: ExitStack, folder: Path, version: int) -> _Part:
    store = stack.enter_context(Store(run.place(folder, version)))
    about = store.about
    if about is None:
        raise SuiteError(f"{run.place(folder, version)} does not say what was asked; ask for this part again")
    return _Part(folder, store, about)


def _require_all(parts: Sequence[_Part], dataset: Dataset) -> None:
    first = parts[0]
    for part in parts:
        if replace(part.about, shard=first.about.shard) != first.about or part.shard.total != first.shard.total:
            raise SuiteError(
                f"{part.folder} was asked something else than {first.folder}: {_differing(first, part)}; ask again"
            )
        expected = sum(map(len, windows(part.about.questions, part.about.batch, part.shard)))
        if len(part.store) != expected:
            raise SuiteError(
                f"{part.folder} holds {len(part.store)} of {expected} answers of version {part.about.version}; "
                "run its compare again, it goes on where it ended"
            )
    _require_each_once(parts)
    if first.about.data != dataset.sha256:
        raise SuiteError(
            f"{first.folder} was asked other questions than the {dataset.words}; name the same data with --data"
        )


def _require_each_once(parts: Sequence[_Part]) -> None:
    counts, total = Counter(part.shard.number for part in parts), parts[0].shard.total
    missing = [f"{number}/{total}" for number in range(1, total + 1) if number not in counts]
    if missing:
        raise SuiteError(f"of {total} shards {', '.join(missing)} are missing; name all folders")
    twice = [f"{number}/{total}" for number, count in counts.items() if count > 1]
    if twice:
        raise SuiteError(f"shards {', '.join(twice)} are there twice; name each folder once")


def _differing(one: _Part, other: _Part) -> str:
    first, second = ({**vars(part.about), "shard": part.shard.total} for part in (one, other))
    return ", ".join(f"{name} is another" for name in first if first[name] != second[name])


def _other(folders: Sequence[Path], found: Sequence[tuple[int, ...]]) -> str:
    folder, versions = next(each for each in zip(folders, found) if each[1] != found[0])
    return f"{folder} of {_list(versions)}"


def _list(versions: Sequence[int]) -> str:
    return f"version {', '.join(map(str, versions))}"
