"""What the demo makes once and finds again, until the sources that make it change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from model_config.publishing import RESULT, publishing

_KEY = "key"


def key(modules: Iterable[str], *settings: object) -> str:
    """A hash of the demo's own source files and of whatever else decides the result."""
    sources = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in modules]
    return hashlib.sha256(b"\0".join([*sources, repr(settings).encode()])).hexdigest()


def cached(folder: Path, wanted: str, make: Callable[[Path], None]) -> Path:
    """Return the folder, after ``make`` filled it unless it was made under this key before."""
    if _key_of(folder) != wanted:
        with publishing(folder) as draft:
            (draft / RESULT).mkdir()
            make(draft / RESULT)
            (draft / RESULT / _KEY).write_text(wanted, encoding="utf-8")
    return folder


def _key_of(folder: Path) -> str:
    try:
        return (folder / _KEY).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
