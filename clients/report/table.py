"""The comparison's rows in words, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_config.console import print_table

Row = dict[str, Any]


def header(rows: Sequence[Row]) -> list[str]:
    """The columns' names."""
    metric = rows[0]["metric"]["name"]
    first = rows[0]["version"]
    return ["version", "recipe", "MB", "p50 ms", "p90 ms", "p99 ms", "images/s", metric, f"agrees with {first}"]


def cells(row: Row) -> list[str]:
    """One version's values, in the columns' order."""
    size = row["size_bytes"]
    return [
        str(row["version"]),
        row["recipe"],
        "unknown" if size is None else short(size / 1e6),
        *(short(row[key]) for key in ("p50_ms", "p90_ms", "p99_ms", "images_per_s")),
        f"{row['metric']['value']:.3f}",
        f"{row['agreement']:.3f}",
    ]


def show(title: str, rows: Sequence[Row]) -> None:
    """Print the table on stdout; its names stand in two lines where that keeps it within 80 columns."""
    names = [name.replace(" ", "\n") for name in header(rows)]
    print_table(title, names, [cells(row) for row in rows], left=2)


def sentences(rows: Sequence[Row]) -> list[str]:
    """What each version gives and costs against the first one."""
    first, *others = rows
    return [_against(first, other) for other in others if first["images_per_s"]]


def doubts(rows: Sequence[Row]) -> list[str]:
    """Why the numbers should be taken with care."""
    return [f"version {row['version']}: {doubt}" for row in rows for doubt in row["doubts"]]


def short(number: float | None) -> str:
    """Three digits that matter, as nobody reads more; too few requests for a percentile show nothing."""
    if number is None:
        return "n too small"
    return f"{number:.{max(0, 2 - len(str(int(number))) + 1)}f}"


def _against(first: Row, other: Row) -> str:
    speed = other["images_per_s"] / first["images_per_s"]
    metric, change = other["metric"], other["metric"]["value"] - first["metric"]["value"]
    return (
        f"Version {other['version']} ({other['recipe']}) {_size(first, other)}answers {speed:.2f} times as many "
        f"images a second as version {first['version']} ({first['recipe']}); its {metric['name']} is "
        f"{metric['value']:.3f} ({change:+.3f}), and {other['agreement']:.1%} of what the two show is the same."
    )


def _size(first: Row, other: Row) -> str:
    if not first["size_bytes"] or not other["size_bytes"]:
        return ""
    return f"has {other['size_bytes'] / first['size_bytes']:.0%} of the size and "
