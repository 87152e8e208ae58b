"""A file that is on its way: what has come so far, and of which state of the publisher's file it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_KNOWN_BY: Final = ("ETag", "Last-Modified")


@dataclass(frozen=True)
class Partial:
    """What has come of one address, beside the place where the whole file will be."""

    url: str
    whole: Path

    @property
    def path(self) -> Path:
        """What has come so far."""
        return self.whole.with_name(f"{self.whole.name}.part")

    @property
    def size(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def is_whole(self) -> bool:
        """All has come, though whoever fetched it did not get to say so."""
        return self.size > 0 and self._noted().get("bytes") == self.size

    def began_with(self, headers: Mapping[str, str], total: int | None) -> None:
        """Remember what the publisher calls the file's state, so that no two states are put together.

        Args:
            total: bytes of the whole file, where the publisher says so.
        """
        named = next((headers[name] for name in _KNOWN_BY if headers.get(name)), "")
        weak = named.startswith("W/")  # of two files that differ in their bytes it may say the same
        note = {"url": self.url, "state": "" if weak else named, "bytes": total}
        self._note.write_text(json.dumps(note), encoding="utf-8")

    def resumable(self) -> Mapping[str, str]:
        """The headers that ask for the rest only; none where it is not known to be the rest of the same file."""
        state = self._noted().get("state")
        return {"Range": f"bytes={self.size}-", "If-Range": str(state)} if self.size and state else {}

    def _noted(self) -> Mapping[str, Any]:
        """What was remembered of this address."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) and note.get("url") == self.url else {}

    def discard(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> None:
        """It is whole now."""
        self.path.replace(self.whole)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.whole.with_name(f"{self.whole.name}.part.json")
