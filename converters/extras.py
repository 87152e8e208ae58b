"""What lies beside a SavedModel's graph for servers and people: every version made from it keeps it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from converters.checking import warm_up
from model_config import base_path, manifest

_FOLDER: Final = base_path.WARM_UP.parent


def keep(source: Path, servable: Path, key: str, *, warm_up_too: bool = True) -> None:
    """Copy what a version does not have yet.

    Args:
        key: the one signature the version has; warm-up requests for others would keep a server from loading it.
        warm_up_too: not where the version answers only in sizes of its own.
    """
    for path in sorted((source / _FOLDER).rglob("*")):
        place = path.relative_to(source)
        if path.is_dir() or place == manifest.PLACE or (servable / place).exists():
            continue
        if place == base_path.WARM_UP and not (warm_up_too and _asks_only(path, key)):
            continue
        (servable / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, servable / place)


def _asks_only(requests: Path, key: str) -> bool:
    return {signature for signature, _ in warm_up.read(requests)} == {key}
