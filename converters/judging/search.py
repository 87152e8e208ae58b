"""The smallest number that passes a test, where greater ones do as well."""

from __future__ import annotations

from collections.abc import Callable


def fewest(most: int, passes: Callable[[int], bool]) -> int | None:
    """From 1 to ``most``, by doubling and then halving; None where not even ``most`` passes.

    Every number is tried once at most, and where greater ones pass less often the result still does.
    """
    failed, tried = 0, min(1, most)
    while tried == 0 or not passes(tried):
        if tried == most:
            return None
        failed, tried = tried, min(2 * tried, most)
    while tried - failed > 1:
        middle = (failed + tried) // 2
        if passes(middle):
            tried = middle
        else:
            failed = middle
    return tried
