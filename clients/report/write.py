"""A comparison as summary.json and as one page that opens from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from clients import figures
from clients.comparison import Comparison
from clients.report import charts, details, gallery, rows, table, tiles, vega
from clients.report.columns import columns
from clients.verdict import Verdict
from evaluation.metrics.agreement import AGREE_SCORE
from model_config import files

SUMMARY, PAGE = "summary.json", "report.html"


def write(comparison: Comparison, verdict: Verdict, folder: Path) -> tuple[Path, Path]:
    """Write both files and return their paths; a reader never sees half of one."""
    summary = json.dumps(rows.summary(comparison, verdict), indent=2, default=str) + "\n"
    files.replace(folder, {SUMMARY: summary.encode(), PAGE: _page(comparison, verdict).encode()})
    return folder / SUMMARY, folder / PAGE


def _page(comparison: Comparison, verdict: Verdict) -> str:
    loader = jinja2.PackageLoader("clients.report", "page")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["breakable"] = _breakable
    drawn = charts.charts(comparison, verdict)
    return environment.get_template("page.html.j2").render(
        comparison=comparison,
        verdict=verdict,
        tiles=tiles.tiles(comparison, verdict),
        columns=columns(comparison),
        colours=charts.colours(comparison),
        charts=drawn,
        specs=Markup(_for_a_script({chart.key: chart.spec for chart in drawn})),
        vega=Markup(vega.script()) if drawn else "",
        style=Markup(_part("page.css")),
        script=Markup(_part("page.js")),
        doubts=table.doubts(comparison, verdict),
        cards=list(gallery.cards(comparison)),
        shown=verdict.winner if verdict.winner is not None else comparison.versions[-1].version,
        details=details.details(comparison),
        score=AGREE_SCORE,
        smallest=figures.smallest_load(comparison.versions[0]),
    )


def _part(name: str) -> str:
    return Path(__file__).with_name("page").joinpath(name).read_text(encoding="utf-8")


def _breakable(text: str) -> Markup:
    """A name that may go on in the next line behind each of its parts."""
    return Markup("_<wbr>").join(text.split("_"))


def _for_a_script(value: Any) -> str:
    """JSON that nothing inside can end the script element of."""
    return json.dumps(value).replace("<", "\\u003c")
