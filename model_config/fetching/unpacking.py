"""Files out of an archive that nobody has looked into: plain files only, and none outside the folder."""

from __future__ import annotations

import fnmatch
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from model_config.errors import SuiteError

_BLOCK: Final = 1 << 20
# no real model or picture shrinks like this, but files made to fill a disk do
_MOST_GROWTH: Final = 200
_SMALL: Final = 1 << 24
_DAMAGED: Final = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


@dataclass(frozen=True)
class _Member:
    """One file or something else in an archive; ``content`` opens a plain file."""

    path: PurePosixPath
    plain: bool
    content: Any


def unpack(archive: Path, wanted: Mapping[str, str], folder: Path) -> None:
    """Take out what is wanted, under its new name.

    Args:
        wanted: pattern of a file or folder in the archive: its name below ``folder``, ``.`` for the folder itself.

    Raises:
        SuiteError: it is no archive, it is damaged, lacks what is wanted, or would write where it must not.
    """
    budget = _Budget(max(_SMALL, _MOST_GROWTH * archive.stat().st_size), archive)
    found: set[str] = set()
    with _members(archive) as members:
        for member in members:
            _require_inside(archive, member)
            pattern, name = _place(member.path, wanted)
            if pattern is None:
                continue
            if not member.plain:
                raise SuiteError(
                    f"{archive} wants to make a link or device of {member.path}; do not trust this archive"
                )
            found.add(pattern)
            _write(member, folder / name, budget)
    lacking = sorted(set(wanted) - found)
    if lacking:
        raise SuiteError(f"{archive} holds no {lacking[0]}; look into it, and change unpack in models.yaml")


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    try:
        # in this order, as a tar archive may end in a zip archive and is then taken for one
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as streamed:
                yield _of_tar(streamed)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                yield _of_zip(packed)
        else:
            raise SuiteError(f"{archive} is neither a zip nor a tar archive; look at what its address really gives")
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk; gzip and bz2 have no number
            raise
        raise SuiteError(f"{archive} is damaged ({error}); delete it, and fetch it again") from error


def _of_zip(packed: zipfile.ZipFile) -> Iterator[_Member]:
    for info in packed.infolist():
        if info.is_dir():
            continue
        kind = stat.S_IFMT(info.external_attr >> 16)
        plain = kind in (0, stat.S_IFREG) and not info.flag_bits & 1  # 0: made where files have no kind; 1: encrypted
        yield _Member(PurePosixPath(info.filename), plain, lambda info=info: packed.open(info))


def _of_tar(packed: tarfile.TarFile) -> Iterator[_Member]:
    for info in packed:
        if not info.isdir():
            yield _Member(PurePosixPath(info.name), info.isreg(), lambda info=info: packed.extractfile(info))
    # the checksum of what it is packed in stands behind all that a tar archive needs to be read
    while packed.fileobj and packed.fileobj.read(_BLOCK):
        pass


def _require_inside(archive: Path, member: _Member) -> None:
    if member.path.is_absolute() or ".." in member.path.parts:
        raise SuiteError(f"{archive} wants to write to {member.path}, outside its folder; do not trust this archive")


def _place(path: PurePosixPath, wanted: Mapping[str, str]) -> tuple[str | None, PurePosixPath]:
    """The pattern that a member falls under, and its name then."""
    for pattern, name in wanted.items():
        parts = PurePosixPath(pattern).parts
        if len(parts) <= len(path.parts) and all(map(fnmatch.fnmatchcase, path.parts, parts)):
            return pattern, PurePosixPath(name, *path.parts[len(parts) :])
    return None, path


@dataclass
class _Budget:
    """How many bytes may still come out of an archive."""

    left: int
    archive: Path

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise SuiteError(f"{self.archive} grows more than {_MOST_GROWTH} times; do not trust this archive")


def _write(member: _Member, target: Path, budget: _Budget) -> None:
    source: IO[bytes]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with member.content() as source, target.open("xb") as file:
            while block := source.read(_BLOCK):
                budget.take(len(block))
                file.write(block)
    except (FileExistsError, NotADirectoryError) as error:
        raise SuiteError(f"{budget.archive} holds {member.path} twice; do not trust this archive") from error
