"""Numbers with as many digits as anybody reads."""

from __future__ import annotations

from typing import Final

_SMALL: Final = 0.1  # below it places behind the point say little


def short(number: float | None) -> str:
    """Three digits that matter, as nobody reads more; too few requests for a percentile show nothing."""
    if number is None:
        return "n too small"
    if 0 < abs(number) < _SMALL:
        return f"{number:.2g}"
    return f"{number:.{max(0, 2 - len(str(int(number))) + 1)}f}"


def known(number: float | None, unit: float = 1.0) -> str:
    """The same in another unit, where nobody may have been able to say the number."""
    return "unknown" if number is None else short(number / unit)


def signed(number: float) -> str:
    """A difference of a metric, such as ``−0.004``; the sign is a minus, which is as wide as the plus."""
    return f"{number:+.3f}".replace("-", "−")


def width(number: float | None, interval: tuple[float, float] | None) -> str:
    """How far a figure may be off, such as ``±3%``; nothing where that is not known."""
    if not number or not interval:
        return ""
    return f"±{max(abs(edge - number) for edge in interval) / number:.0%}"
