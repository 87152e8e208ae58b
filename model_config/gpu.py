"""The GPU that programs started here use first, as the driver tells it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import lru_cache

_ASK = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
_ASK_USED = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")
_ASK_S = 20.0


@dataclass(frozen=True)
class Gpu:
    """A GPU's model and driver; both empty where there is none."""

    name: str = ""
    driver: str = ""


@lru_cache(maxsize=1)  # asking the driver takes a second
def first() -> Gpu:
    """The first GPU of those that may be used; an empty one where there is none or no driver."""
    told = _asked(_ASK)
    if told is None:
        return Gpu()
    name, _, driver = told.strip().partition("\n")[0].partition(", ")
    return Gpu(name, driver)


def used_bytes() -> int | None:
    """What of that GPU's memory is taken, by whomever; None where there is none or no driver."""
    told = _asked(_ASK_USED)
    first_line = (told or "").strip().partition("\n")[0]
    return int(first_line) * 2**20 if first_line.isdigit() else None


def _asked(command: tuple[str, ...]) -> str | None:
    # CUDA's programs see these alone, while the driver tells of all
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        command = (*command, f"--id={visible.partition(',')[0]}")
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
