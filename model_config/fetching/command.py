"""The command ``fetch``: what a name needs, folder by folder, with bars on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_config.console import INTERRUPTED, Failure, progress, stderr
from model_config.fetching.fetch import Wanted, fetch

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_MB = 1e6


class _Bars:
    """A bar for each download."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def bytes(self, name: str, have: int, total: int | None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name[:34], total=None, amount="")
        of = f" of {total / _MB:,.0f}" if total else ""
        self._bars.update(self._tasks[name], completed=have, total=total, amount=f"{have / _MB:,.0f}{of} MB")

    def remark(self, text: str) -> None:
        self._bars.console.print(text)


def fetch_all(wanted: Sequence[Wanted], again: bool) -> dict[str, str]:
    """Fill every folder; says by folder what was done.

    A data set that no program may fetch is only remarked on, as long as something else is wanted too.
    """
    done: dict[str, str] = {}
    with progress("{task.fields[amount]}") as bars:
        try:
            for each in wanted:
                done[str(each.folder)] = _one(each, _Bars(bars), again, alone=len(wanted) == 1)
        except KeyboardInterrupt:
            raise Failure("interrupted; run it again, and it goes on where it stopped", INTERRUPTED) from None
    return done


def _one(each: Wanted, bars: _Bars, again: bool, alone: bool) -> str:
    if not each.fetch.files and not each.folder.exists() and not alone:
        stderr().print(f"{each.name} cannot be fetched by a program: {each.fetch.by_hand}")
        return "to be fetched by hand"
    return fetch(each, bars, again)
