"""Folders that are whole or absent, whatever happens to the program that makes them."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_config.errors import BuildError

# what a draft folder calls the finished result
RESULT = "result"


@contextmanager
def publishing(final: Path) -> Iterator[Path]:
    """Give a hidden draft folder to work in; its ``RESULT`` becomes the final folder in one rename.

    On any error the draft vanishes. An earlier folder of that name is replaced only by the finished one.
    A lock keeps two makers of one folder apart, so whatever draft is found under it was left behind by a
    killed one. Drafts start with a dot and end in a word: a server, which looks for numbers, passes over them.
    """
    draft, former = final.with_name(f".{final.name}.draft"), final.with_name(f".{final.name}.former")
    final.parent.mkdir(parents=True, exist_ok=True)
    with _locked(final):
        _settle(former, final)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            yield draft
            _swap_in(draft / RESULT, final, former)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _swap_in(result: Path, final: Path, former: Path) -> None:
    if final.exists():
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
    # the lock ends with the process, so a killed one blocks nobody
    with final.with_name(f".{final.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(f"{final} is being made by another process; wait for it, or stop it") from None
        yield
