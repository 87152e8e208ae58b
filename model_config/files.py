"""Small files that are replaced together: whoever reads one reads the old or the new, and a full disk changes none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path


def replace(folder: Path, contents: Mapping[str, bytes], private: Collection[str] = ()) -> None:
    """Write files by name into a folder, which is made if it is not there.

    Args:
        private: those of them that nobody else may read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drafts = {name: folder / f".{name}.draft" for name in contents}
    try:
        for name, draft in drafts.items():
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600 if name in private else 0o644)  # before anything is in it
            draft.write_bytes(contents[name])
        for name, draft in drafts.items():
            draft.replace(folder / name)
    finally:
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink()
