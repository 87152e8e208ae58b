"""The one table as text, Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import click

from clients.comparison import Comparison
from clients.loadgen.tables import as_csv
from clients.report import rows
from clients.report.columns import Cell, Column, all_doubts, columns
from clients.verdict import Verdict
from model_config.console import print_json, print_table

_UNKNOWN: Final = {"", "unknown"}
_WIDEST: Final = 100  # columns of a terminal
_AIR: Final = 2  # between two columns, where there is room


def show(comparison: Comparison, verdict: Verdict, form: str) -> None:
    """Print the comparison on stdout in one of FORMATS."""
    FORMATS[form](comparison, verdict)


def _text(comparison: Comparison, verdict: Verdict) -> None:
    shown = [each for each in columns(comparison) if _says_something(each, comparison)]
    header = ["n", *(each.title.replace(" ", "\n") for each in shown[1:])]
    lines = [[_lines(each.cell(version)) for each in shown] for version in comparison.versions]
    wide = sum(_width(cells) for cells in zip(header, *lines)) + _AIR * len(header) > _WIDEST
    print_table(f"{comparison.model}: {verdict.sentence}", header, lines, left=2, apart=1 if wide else _AIR)
    for line in remarks(comparison, verdict):
        click.echo(line)


def _width(cells: Sequence[str]) -> int:
    return max(len(line) for cell in cells for line in cell.split("\n"))


def _says_something(column: Column, comparison: Comparison) -> bool:
    """What is unknown of all only takes room in a terminal; the doubts stand below the table."""
    texts = {column.cell(version).text for version in comparison.versions}
    return not texts <= _UNKNOWN and column.title != "doubts"


def _lines(cell: Cell) -> str:
    """The note below the text, a word a line: so all columns fit side by side."""
    return "\n".join([cell.text, *cell.note.split()])


def remarks(comparison: Comparison, verdict: Verdict) -> list[str]:
    """What has to be said beside the table, a line each: why not the others, what to doubt, what was not read."""
    usual = ["no goals were given, so MLPerf's was taken: 99 % of the reference's accuracy"] if verdict.usual else []
    reasons = [f"not version {number}: {reason}" for number, reason in verdict.reasons.items()]
    return [
        *usual,
        *reasons,
        *(f"take with care: {doubt}" for doubt in doubts(comparison, verdict)),
        *_unread(comparison),
    ]


def doubts(comparison: Comparison, verdict: Verdict) -> list[str]:
    """Why the answer may be otherwise, and why numbers should be taken with care."""
    return [*verdict.doubts, *(f"version {v.version}: {doubt}" for v in comparison.versions for doubt in all_doubts(v))]


def _unread(comparison: Comparison) -> list[str]:
    return [f"not asked: {each}" for each in comparison.unread]


def _markdown(comparison: Comparison, verdict: Verdict) -> None:
    shown = columns(comparison)
    sides = ["---" if place < 2 else "---:" for place in range(len(shown))]
    cells = [
        [_one_line(each.cell(version).text, each.cell(version).note) for each in shown]
        for version in comparison.versions
    ]
    lines = [[each.title for each in shown], sides, *cells]
    click.echo(f"**{verdict.sentence}**\n")
    click.echo("\n".join(f"| {' | '.join(line)} |" for line in lines))
    for line in remarks(comparison, verdict):
        click.echo(f"\n- {line}", nl=False)
    click.echo()


def _one_line(text: str, note: str) -> str:
    return f"{text} ({note})" if note else text


def _csv(comparison: Comparison, verdict: Verdict) -> None:
    plain: Sequence[dict[str, object]] = [rows.row(version, verdict) for version in comparison.versions]
    nested = {"loads", "scores", "per_class", "drift"}
    click.echo(as_csv([{key: each for key, each in row.items() if key not in nested} for row in plain]), nl=False)


def _json(comparison: Comparison, verdict: Verdict) -> None:
    print_json(rows.summary(comparison, verdict))


FORMATS: Final[Mapping[str, Callable[[Comparison, Verdict], None]]] = MappingProxyType(
    {"text": _text, "json": _json, "csv": _csv, "markdown": _markdown}
)
