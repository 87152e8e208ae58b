"""Whether a file is the one that is meant: by its publisher's checksum, or by what came the first time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from model_config import files
from model_config.downloads import Download
from model_config.errors import SuiteError


@dataclass(frozen=True)
class Content:
    """What identifies a file's bytes."""

    size: int
    sha256: str
    md5: str


def content(path: Path) -> Content:
    """Read a file through."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            md5.update(block)
    return Content(path.stat().st_size, sha256.hexdigest(), md5.hexdigest())


@dataclass(frozen=True)
class Lock:
    """The file that remembers what came of addresses whose publishers name no checksum."""

    path: Path

    def known(self, url: str) -> str | None:
        """The sha256 of what came of an address the first time."""
        value = self._read().get(url)
        return str(value["sha256"]) if isinstance(value, dict) and "sha256" in value else None

    def remember(self, url: str, came: Content) -> None:
        """Hold every later fetch to this content."""
        known = {**self._read(), url: {"sha256": came.sha256, "size": came.size}}
        text = json.dumps(known, indent=2) + "\n"
        files.replace(self.path.parent, {self.path.name: text.encode()})

    def _read(self) -> dict[str, object]:
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise SuiteError(f"{self.path} is damaged; delete it to trust what is fetched next") from error
        return known if isinstance(known, dict) else {}


def check(wanted: Download, path: Path, lock: Lock) -> Content | None:
    """Refuse, and delete, a file with another content; gives the content where nobody knows yet what it must be.

    Raises:
        SuiteError: it is not the file that is meant.
    """
    came = content(path)
    for kind, expected, got in (("sha256", wanted.sha256, came.sha256), ("md5", wanted.md5, came.md5)):
        if expected is not None and got != expected:
            path.unlink()
            raise SuiteError(
                f"{wanted.url} came with {kind} {got} instead of {expected} and was deleted; fetch it again, and if it "
                "comes the same, its publisher has changed it: look at it before you change models.yaml"
            )
    known = None if wanted.trusted else lock.known(wanted.url)
    if known not in (None, came.sha256):
        path.unlink()
        raise SuiteError(
            f"{wanted.url} came with sha256 {came.sha256} and not with {known} as the first time, and was deleted; if "
            f"its publisher has changed it and you trust that, delete {lock.path}"
        )
    return came if known is None and not wanted.trusted else None
