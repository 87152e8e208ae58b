"""Folders that are whole or absent, whatever happens to the program that makes them."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from model_config.errors import BuildError
from model_config.exchange import exchange

# what a draft folder calls the finished result
RESULT = "result"

_FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))


@contextmanager
def publishing(final: Path) -> Iterator[Path]:
    """Give a hidden draft folder to work in; its ``RESULT``, if there is one, becomes the final folder in one rename.

    On any error the draft vanishes. An earlier folder of that name is replaced only by the finished one.
    A lock keeps two makers of one folder apart, so whatever draft is found under it was left behind by a
    killed one. Drafts start with a dot and end in a word: a server, which looks for numbers, passes over them.

    Raises:
        BuildError: another process makes the folder, or the disk is full.
    """
    draft, former = final.with_name(f".{final.name}.draft"), final.with_name(f".{final.name}.former")
    with _locked(final):
        _settle(former, final)
        shutil.rmtree(draft, ignore_errors=True)
        try:
            draft.mkdir()
            yield draft
            _swap_in(draft / RESULT, final, former)
        except Exception as error:
            # known by its words: copying a folder, TensorFlow and the system each raise something else
            if any(words in str(error) for words in _FULL):
                raise BuildError(f"no space is left to make {final}; free some, nothing was published") from error
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _swap_in(result: Path, final: Path, former: Path) -> None:
    if not result.exists():
        return
    if not final.exists():
        result.rename(final)
    elif not exchange(result, final):  # otherwise the earlier folder is now the draft's, and goes with it
        final.rename(former)
        result.rename(final)
        shutil.rmtree(former, ignore_errors=True)


def _settle(former: Path, final: Path) -> None:
    """Finish what was killed between its two renames: the earlier folder is never lost."""
    if former.exists() and not final.exists():
        former.rename(final)
    shutil.rmtree(former, ignore_errors=True)


@contextmanager
def _locked(final: Path) -> Iterator[None]:
    """Keep others out; in the end neither the lock nor a base path without any version is left."""
    path = final.with_name(f".{final.name}.lock")
    with _acquired(path, final):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # it is not empty, which is the rule
                path.parent.rmdir()


def _acquired(path: Path, final: Path) -> TextIO:
    """The lock file, held; it ends with the process, so a killed one blocks nobody."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.open("w")
        except (FileExistsError, FileNotFoundError):
            if os.path.lexists(path.parent) and not path.parent.is_dir():
                raise
            continue  # another one has just removed the empty base path
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise BuildError(f"{final} is being made by another process; wait for it, or stop it") from None
        if _is_at(lock, path):
            return lock
        lock.close()  # its former holder has removed it since it was opened: a lock on nothing


def _is_at(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
