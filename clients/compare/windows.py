"""Which questions are asked together, and which by whom, so that however they are spread the requests are the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_config.errors import SuiteError


@dataclass(frozen=True)
class Shard:
    """One of so many parts of a data set; ``number`` counts from 1."""

    number: int = 1
    total: int = 1

    def __post_init__(self) -> None:
        """Refuse what no part is."""
        if not 1 <= self.number <= self.total:
            raise SuiteError(
                f"a shard is one of 1/{max(self.total, 1)} to {max(self.total, 1)}/{max(self.total, 1)}, not {self}"
            )

    def __str__(self) -> str:
        """Such as ``2/5``."""
        return f"{self.number}/{self.total}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From ``2/5``; SuiteError where it is none."""
        number, _, total = text.partition("/")
        if not (number.isdigit() and total.isdigit()):
            raise SuiteError(f"a shard is given as I/N, such as 1/4 for the first of four, not {text!r}")
        return cls(int(number), int(total))


Window = range  # of places


def windows(questions: int, batch: int, shard: Shard) -> list[Window]:
    """The places of a shard's questions, as many together as a request takes.

    They start at multiples of the batch whatever the shard is, so that no request depends on how the work is spread;
    shards take them in turns.
    """
    starts = range((shard.number - 1) * batch, questions, shard.total * batch)
    return [range(start, min(start + batch, questions)) for start in starts]


def together(places: Sequence[int], sizes: Sequence[object]) -> Iterator[list[int]]:
    """The places of a window that can go into one request, as their sizes are the same; in their order."""
    groups: dict[object, list[int]] = {}
    for place, size in zip(places, sizes):
        groups.setdefault(size, []).append(place)
    yield from groups.values()
