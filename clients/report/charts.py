"""The page's charts, as Vega-Lite: speed, speed against accuracy, latencies, size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import altair as alt

from clients import figures
from clients.comparison import Compared, Comparison, Row
from clients.report.digits import short
from clients.verdict import Verdict
from model_config.goals import limit

# each can be told from white and from the dark ground (contrast of 3 and more)
COLOURS: Final = ("#2f78dc", "#d4650f", "#16936a", "#c0479a", "#8160d6", "#8a7a14", "#0d8ea0", "#d04a4a", "#6b7b8c")

_HEIGHT: Final = 300
_A_ROW: Final = 46  # pixels of a version's strip
_BAD: Final = "#d04a4a"
_INK: Final = "currentColor"  # of the page
_FONT: Final = "system-ui, sans-serif"
# of a version where it stands in a chart; no longer than that is wide
_NAME: Final[Mapping[str, Any]] = MappingProxyType(
    {"align": "left", "fontSize": 12, "fontWeight": 600, "limit": alt.ExprRef("width")}
)
_CONFIG: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "background": "transparent",
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "tickSize": 0,
            "labelPadding": 6,
        },
        "legend": {"orient": "bottom", "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
        "aria": False,  # the figure around it says what is to be seen
    }
)


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        caption: what it shows, and how to read it.
        description: what is to be seen in it, for those who cannot.
        spec: Vega-Lite, as wide as its place.
    """

    key: str
    caption: str
    description: str
    spec: Mapping[str, Any]


def colours(comparison: Comparison) -> dict[int, str]:
    """A colour of its own for each version, as far as there are so many."""
    return {each.version: COLOURS[place % len(COLOURS)] for place, each in enumerate(comparison.versions)}


def charts(comparison: Comparison, verdict: Verdict) -> list[Chart]:
    """Those that there are figures for."""
    made = (_speeds(comparison), _accuracies(comparison, verdict), _latencies(comparison, verdict), _sizes(comparison))
    return [chart for chart in made if chart is not None]


def _chart(key: str, caption: str, description: str, layers: Sequence[Any], height: int = _HEIGHT) -> Chart:
    spec = alt.layer(*layers).properties(width="container", height=height).configure(**_CONFIG)
    return Chart(key, caption, description, spec.to_dict())


def _closed(version: Compared) -> list[Row]:
    return [row for row in version.speed if row["concurrency"]]


def _speeds(comparison: Comparison) -> Chart | None:
    dyes = colours(comparison)
    points = [_point(version, row, dyes) for version in comparison.versions for row in _closed(version)]
    if not points:
        return None
    data = alt.Chart(alt.Data(values=points))
    x = alt.X("p50_ms:Q", title="median latency of a request, ms", scale=alt.Scale(type="log", nice=False, padding=24))
    y = alt.Y("images_per_s:Q", title="images a second", scale=alt.Scale(zero=True, nice=True))
    colour = alt.Color("colour:N", scale=None)
    told = [alt.Tooltip(f"{key}:N", title=title) for key, title in _TOLD.items()]
    lines = data.mark_line(strokeWidth=2, opacity=0.55).encode(
        x, y, colour, detail=["name:N", "batch:N"], order="callers:Q"
    )
    shape = alt.Shape("batch:N", title="batch", legend=alt.Legend(symbolFillColor="#6b7b8c", symbolStrokeWidth=0))
    dots = data.mark_point(size=110, filled=True, opacity=1).encode(x, y, colour, shape=shape, tooltip=told)
    caption = "Throughput against latency: each point is a load, each line a batch size with more and more callers."
    return _chart("speed", caption, "; ".join(map(_point_words, points)), [lines, dots])


_TOLD: Final = {
    "name": "version",
    "batch": "batch",
    "callers": "callers",
    "images_per_s": "images a second",
    "p50": "p50 ms",
    "p90": "p90 ms",
    "p99": "p99 ms",
}


def _point(version: Compared, row: Row, dyes: Mapping[int, str]) -> dict[str, Any]:
    return {
        "name": version.name,
        "colour": dyes[version.version],
        "batch": row["batch"],
        "callers": row["concurrency"],
        "images_per_s": row["images_per_s"],
        "p50_ms": row["p50_ms"] or row["mean_ms"],  # so few requests that they have no median still have a mean
        **{f"p{percent}": short(row[f"p{percent}_ms"]) for percent in (50, 90, 99)},
    }


def _point_words(point: Mapping[str, Any]) -> str:
    return f"version {point['name']}, batch {point['batch']}, {point['callers']} callers: {point['images_per_s']:.4g}/s"


def _accuracies(comparison: Comparison, verdict: Verdict) -> Chart | None:
    dyes = colours(comparison)
    told_of = [v for v in comparison.versions if figures.throughput(v) and figures.main_score(v).known is not None]
    points = [_worth(version, dyes) for version in told_of]
    if not points:
        return None
    metric = figures.main_score(comparison.versions[0]).metric
    data = alt.Chart(alt.Data(values=points))
    x = alt.X(
        "speed:Q",
        title="images a second",
        scale=alt.Scale(zero=False, nice=False, padding=28),
        axis=alt.Axis(tickCount=6),
    )
    y = alt.Y("value:Q", title=metric, scale=alt.Scale(zero=False, nice=True, padding=20))
    colour = alt.Color("colour:N", scale=None)
    between = data.mark_rule(strokeWidth=2, opacity=0.7).encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), colour)
    told = [alt.Tooltip("name:N", title="version"), alt.Tooltip("value:Q", title=metric, format=".4f"), "speed:Q"]
    dots = data.mark_circle(size=160, opacity=1).encode(x, y, colour, tooltip=told)
    names = data.mark_text(dx=10, dy=-9, align="left", fontSize=12, fontWeight=600).encode(x, y, text="version:N")
    caption = (
        f"{metric} against speed: up and right is better. A vertical line is where the true value may be "
        "(95 %), a dashed one a goal."
    )
    words = "; ".join(f"version {p['name']}: {p['value']:.4f} at {p['speed']:.4g}/s" for p in points)
    return _chart("accuracy", caption, words, [*_goal_lines(comparison, verdict), between, dots, names])


def _worth(version: Compared, dyes: Mapping[int, str]) -> dict[str, Any]:
    score = figures.main_score(version)
    gap = score.difference
    usual = score.value - gap.value if gap else score.value
    return {
        "name": version.name,
        "version": str(version.version),
        "colour": dyes[version.version],
        "speed": figures.throughput(version),
        "value": score.value,
        "low": usual + gap.low if gap else score.value,
        "high": usual + gap.high if gap else score.value,
    }


def _limit(comparison: Comparison, verdict: Verdict, quantity: str) -> float | None:
    """The value that just meets the goal of a quantity."""
    goal = getattr(verdict.goals, quantity)
    first = next(each for each in comparison.versions if each.version == comparison.reference)
    usual = figures.value(first, quantity)
    if goal is None or (usual is None and goal.is_relative):
        return None
    return limit(quantity, goal, usual or 0.0)


def _goal_lines(comparison: Comparison, verdict: Verdict) -> Iterator[Any]:
    """The goals on both axes, dashed."""
    for quantity, side in (("accuracy", "y"), ("throughput", "x")):
        edge = _limit(comparison, verdict, quantity)
        if edge is not None:
            yield from _goal_line(edge, side, f"goal: {edge:.4g}")


def _goal_line(edge: float, side: str, words: str) -> Iterator[Any]:
    data = alt.Chart(alt.Data(values=[{"edge": edge, "words": words}]))
    place: dict[str, Any] = {side: alt.X("edge:Q") if side == "x" else alt.Y("edge:Q")}
    yield data.mark_rule(strokeDash=[5, 4], color=_BAD, strokeWidth=1.5).encode(**place)
    corner: dict[str, Any] = {"y": alt.value(8)} if side == "x" else {"x": alt.value(4)}
    shift: dict[str, Any] = {"dx": 4, "align": "left"} if side == "x" else {"dy": 11, "align": "left"}
    yield data.mark_text(fontSize=11, **shift).encode(**place, **corner, text="words:N")


def _latencies(comparison: Comparison, verdict: Verdict) -> Chart | None:
    """A strip a version, so that many fit below each other without hiding each other."""
    dyes, rows = colours(comparison), [(v, figures.smallest_load(v)) for v in comparison.versions]
    measured = [(version, row) for version, row in rows if row is not None and row.get("latencies")]
    if not measured:
        return None
    count = len(measured)
    steps = [step for place, (v, row) in enumerate(measured) for step in _strip(v, row, count - 1 - place, dyes)]
    marks = [mark for place, (v, row) in enumerate(measured) for mark in _marks(v, row, count - 1 - place, dyes)]
    x = alt.X("ms:Q", title="latency of a request, ms", scale=alt.Scale(type="log", nice=False))
    y, low = alt.Y("top:Q", axis=None, scale=alt.Scale(domain=[0, count])), alt.Y2("bottom:Q")
    colour = alt.Color("colour:N", scale=None)
    data, ticks = alt.Chart(alt.Data(values=steps)), alt.Chart(alt.Data(values=marks))
    hills = data.mark_area(interpolate="step-after", opacity=0.75).encode(x, y, low, colour, detail="name:N")
    lines = ticks.mark_rule(strokeWidth=2, color=_INK).encode(x, y, low, tooltip=["name:N", "what:N", "told:N"])
    words = ticks.mark_text(align="left", dx=3, dy=5, fontSize=11, baseline="top").encode(x, y, text="what:N")
    names = [{"name": v.name, "top": count - place} for place, (v, _) in enumerate(measured)]
    titles = alt.Chart(alt.Data(values=names)).mark_text(**_NAME, baseline="top", dy=4)
    edge = _limit(comparison, verdict, "p99")
    goal = [] if edge is None else list(_goal_line_at(edge, f"p99 goal: {edge:.4g} ms"))
    layers = [hills, lines, words, titles.encode(alt.Y("top:Q"), x=alt.value(2), text="name:N"), *goal]
    first = measured[0][1]
    caption = (
        f"Latencies with batch {first['batch']} and {first['concurrency']} in flight: how often an answer took how "
        "long. The lines mark p50 and p99."
    )
    told = "; ".join(f"version {v.name}: p50 {short(r['p50_ms'])} ms, p99 {short(r['p99_ms'])} ms" for v, r in measured)
    return _chart("latency", caption, told, layers, max(120, 2 * _A_ROW * count))


def _goal_line_at(edge: float, words: str) -> Iterator[Any]:
    data = alt.Chart(alt.Data(values=[{"ms": edge, "words": words}]))
    yield data.mark_rule(strokeDash=[5, 4], color=_BAD, strokeWidth=1.5).encode(alt.X("ms:Q"))
    # above the strips, whose names begin where a tight goal lies
    words_over = data.mark_text(fontSize=11, align="right", dx=4, dy=-7)
    yield words_over.encode(alt.X("ms:Q"), y=alt.value(0), text="words:N")


def _strip(version: Compared, row: Row, place: int, dyes: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    """The outline of a strip; between bins that nothing fell into it is flat."""
    bins = row["latencies"]
    most = max(count for _, _, count in bins)
    shared = {"name": version.name, "colour": dyes[version.version], "bottom": place}
    last = None
    for low, high, count in bins:
        if last is not None and low > last:
            yield {**shared, "ms": last, "top": place}
        yield {**shared, "ms": low, "top": place + 0.72 * count / most}
        last = high
    yield {**shared, "ms": last, "top": place}


def _marks(version: Compared, row: Row, place: int, dyes: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    for percent in (50, 99):
        at = row[f"p{percent}_ms"]
        if at is not None:
            shared = {"name": version.name, "bottom": place, "top": place + 0.72}
            yield {**shared, "ms": at, "what": f"p{percent}", "told": f"{short(at)} ms"}


def _sizes(comparison: Comparison) -> Chart | None:
    dyes = colours(comparison)
    bars: list[dict[str, Any]] = [
        {"name": v.name, "colour": dyes[v.version], "mb": size / 1e6, "told": f"{short(size / 1e6)} MB"}
        for v in comparison.versions
        for size in [v.costs.size_bytes]
        if size is not None
    ]
    if not bars:
        return None
    data = alt.Chart(alt.Data(values=bars))
    y = alt.Y("name:N", sort=None, axis=None)
    room = alt.Scale(domain=[0, 1.35 * max(bar["mb"] for bar in bars)], nice=False)  # for the words behind the longest
    x = alt.X("mb:Q", title="megabytes", scale=room, axis=alt.Axis(tickCount=5))
    # the names stand above their bars, as beside them they would take a phone's whole width
    blocks = data.mark_bar(cornerRadiusEnd=4, height=16, yOffset=9).encode(x, y, alt.Color("colour:N", scale=None))
    words = data.mark_text(align="left", dx=6, fontSize=12, yOffset=9).encode(x, y, text="told:N")
    names = data.mark_text(**_NAME, yOffset=-9).encode(y, x=alt.value(2), text="name:N")
    told = "; ".join(f"version {bar['name']}: {bar['told']}" for bar in bars)
    return _chart(
        "size", "Size of what is loaded to answer.", told, [blocks, words, names], max(110, _A_ROW * len(bars))
    )
