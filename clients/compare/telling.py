"""What a comparison ends with: the verdict, the files, the table, the label that moves, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clients import promotion, verdict
from clients.client import Client
from clients.compare.run import Wanted
from clients.comparison import Comparison
from clients.report import table, write
from model_config import goal_options, models
from model_config.console import stderr
from model_config.goals import Goals

NONE_FITS: Final = 3  # the exit code when no version meets every goal


def goals_of(model: str, file: Path, given: tuple[str, ...]) -> Goals:
    """The goals of models.yaml, and those of the command line in their place."""
    known = models.load(file).get(model)
    return goal_options.with_given(known.goals if known else Goals(), given)


def tell(found: Comparison, wanted: Wanted, goals: Goals, given: Mapping[str, Any], client: Client | None) -> int:
    """Judge, write both files, print the table; gives the exit code.

    Args:
        client: of the server whose label is to move; None where there is none.
    """
    judged = verdict.of(found, goals)
    summary, page = write.write(found, judged, wanted.folder)
    table.show(found, judged, "json" if given["as_json"] else given["form"])
    if given.get("promote") and client is not None and judged.winner is not None:
        stderr().print(promotion.promote(client, wanted.repository, wanted.model, judged.winner))
    stderr().print(f"written: {summary}\nopen:    {page.resolve().as_uri()}")
    return 0 if judged.any_fits else NONE_FITS
