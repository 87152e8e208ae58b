"""Where numbers were measured: they mean nothing without it."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from pathlib import Path

import cv2
import grpc
import numpy as np


def describe() -> dict[str, str]:
    """The machine and the client's own tools."""
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": platform.platform(),
        "python": platform.python_version(),
        "grpc": grpc.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
