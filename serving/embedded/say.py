"""What the server says on stderr: one line for each thing that happens to it."""

from __future__ import annotations

import sys
from datetime import datetime


def say(text: str) -> None:
    """A line with the time before it."""
    now = datetime.now().isoformat(sep=" ", timespec="milliseconds")
    print(f"{now} {' '.join(text.split())}", file=sys.stderr, flush=True)
