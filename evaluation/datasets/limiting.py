"""Which of many questions are asked where only some are: from all of their order, so that every class has its share."""

from __future__ import annotations

from collections.abc import Sequence


def spread(count: int, limit: int | None) -> Sequence[int]:
    """Places from 0 to ``count``, in order and equally far apart: ``limit`` of them, or all."""
    kept = count if limit is None else min(limit, count)
    return [place * count // kept for place in range(kept)]
