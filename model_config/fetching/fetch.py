"""A folder filled from its publisher's addresses: everything is downloaded and checked before any of it appears."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from model_config.downloads import Download, Fetch
from model_config.errors import SuiteError
from model_config.fetching import trust, unpacking
from model_config.fetching.download import download
from model_config.publishing import RESULT, publishing

# where downloads wait; a file that is put there by hand is taken
WAITING: Final = Path(".cache", "fetch")
# in a fetched folder: what it was made from
_MARK: Final = "fetched.json"


class Watcher(Protocol):
    """Who is told how it goes."""

    def bytes(self, name: str, have: int, total: int | None) -> None:
        """So much of a file is there."""

    def remark(self, text: str) -> None:
        """Something a user should know."""


@dataclass(frozen=True)
class Wanted:
    """A folder to fill: what for, from where, and where it is."""

    name: str
    fetch: Fetch
    folder: Path


def fetch(wanted: Wanted, watcher: Watcher, again: bool = False) -> str:
    """Fill a folder, unless it was filled from the same addresses before or by somebody else; says what it did.

    Raises:
        SuiteError: something cannot be had, is not what it should be, or would replace somebody else's folder.
    """
    theirs = wanted.folder.exists() and not _mark(wanted.folder)
    if theirs and again:
        raise SuiteError(f"{wanted.folder} was not fetched by this command; move it away, and run this again")
    if theirs or (_mark(wanted.folder) == _key(wanted.fetch) and not again):
        return "there already, and left as it is" if theirs else "there already"
    if not wanted.fetch.files:
        raise SuiteError(f"{wanted.name} cannot be fetched by a program: {wanted.fetch.by_hand}")
    with publishing(wanted.folder) as draft:
        came = [_bring(each, wanted, watcher) for each in wanted.fetch.files]
        with _of_use(came):
            _fill(draft / RESULT, wanted.fetch, came)
    _remember(came, wanted, watcher)
    for each in came:
        each.path.unlink()
    return "fetched"


def waiting(wanted: Download) -> Path:
    """Where a download lies until its folder is whole; files of one name from two addresses stay apart."""
    return WAITING / f"{hashlib.sha256(wanted.url.encode()).hexdigest()[:8]}-{Path(wanted.name).name}"


@dataclass(frozen=True)
class _Came:
    """A file that has come; ``unknown`` is what it holds, where nobody could say what that must be."""

    wanted: Download
    path: Path
    unknown: trust.Content | None


def _bring(each: Download, wanted: Wanted, watcher: Watcher) -> _Came:
    path = waiting(each)
    if not path.exists():
        download(each, path, wanted.fetch.homepage, _told(each, watcher))
    return _Came(each, path, trust.check(each, path, _lock(wanted)))


@contextmanager
def _of_use(came: Sequence[_Came]) -> Iterator[None]:
    """Forget what nobody vouches for and turns out to be of no use, so that the next run fetches it anew."""
    try:
        yield
    except SuiteError:
        for each in came:
            if each.unknown is not None:
                each.path.unlink()
        raise


def _remember(came: Sequence[_Came], wanted: Wanted, watcher: Watcher) -> None:
    lock = _lock(wanted)
    for each in came:
        if each.unknown is not None:
            lock.remember(each.wanted.url, each.unknown)
            watcher.remark(
                f"no checksum of {each.wanted.url} is known: what came now stands in {lock.path}, and later fetches "
                "must bring the same"
            )


def _lock(wanted: Wanted) -> trust.Lock:
    return trust.Lock(wanted.folder.with_name(f"{wanted.folder.name}.lock.json"))


def _told(each: Download, watcher: Watcher) -> Callable[[int, int | None], None]:
    return lambda have, total: watcher.bytes(each.name, have, total)


def _fill(folder: Path, wanted: Fetch, came: Sequence[_Came]) -> None:
    folder.mkdir()
    for each in came:
        if each.wanted.unpack:
            unpacking.unpack(each.path, each.wanted.unpack, folder)
        else:
            target = folder / each.wanted.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(each.path, target)
    (folder / _MARK).write_text(json.dumps({"key": _key(wanted), "from": [each.url for each in wanted.files]}) + "\n")


def _key(wanted: Fetch) -> str:
    files = [each.model_dump_json() for each in wanted.files]
    return hashlib.sha256("\0".join(files).encode()).hexdigest()


def _mark(folder: Path) -> str:
    try:
        return str(json.loads((folder / _MARK).read_text(encoding="utf-8"))["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
