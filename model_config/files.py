"""Small files that are replaced together: whoever reads one reads the old or the new, and a full disk changes none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def replace(folder: Path, contents: Mapping[str, bytes], private: Collection[str] = ()) -> None:
    """Write files by name into a folder, which is made if it is not there.

    Args:
        private: those of them that nobody else may read.
    """
    with replacing(folder, contents, private):
        pass


@contextmanager
def replacing(folder: Path, contents: Mapping[str, bytes], private: Collection[str] = ()) -> Iterator[None]:
    """The same at the end of the block, before which they are on the disk already; not at all if the block fails."""
    folder.mkdir(parents=True, exist_ok=True)
    drafts = {name: folder / f".{name}.draft" for name in contents}
    try:
        for name, draft in drafts.items():
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600 if name in private else 0o644)  # before anything is in it
            draft.write_bytes(contents[name])
        yield
        for name, draft in drafts.items():
            draft.replace(folder / name)
    finally:
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink()
