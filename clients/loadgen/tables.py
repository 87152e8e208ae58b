"""Measured points for people and for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from clients.loadgen.result import Row
from clients.report.digits import short
from model_config.console import print_table

_HEADER = ("version", "batch", "load", "p50 ms", "p90 ms", "p99 ms", "images/s", "n", "verdict")


def show(title: str, rows: Sequence[Row]) -> None:
    """Print the table on stdout; below a figure stands how far the true one may be from it (95 % confidence)."""
    print_table(title, _HEADER, [_cells(row) for row in rows], apart=1)


def doubts(rows: Sequence[Row]) -> list[str]:
    """Why figures may not be used, a line each."""
    return [f"{title(row)}: {doubt}" for row in rows for doubt in row["doubts"]]


def headlines(rows: Sequence[Row]) -> list[str]:
    """What a search under a bound found, a line for each point that it was made for."""
    return [_headline(row) for row in rows if row.get("slo")]


def _headline(row: Row) -> str:
    what, promise = f"version {_version(row)}, batch {row['batch']}", row["slo"]
    bound = f"p{promise['percent']:g} under {promise['bound_ms']:g} ms"
    if not promise["kept"]:
        return f"{what}: no rate surely keeps {bound}"
    return (
        f"{what}: {row['rate']:g} requests/s ({short(row['images_per_s'])} images/s) is the highest rate with {bound}"
    )


def splits(rows: Sequence[Row]) -> list[str]:
    """Where the time went, a line for each point of which that is known."""
    return [f"{title(row)}: {_split(row['split'])}" for row in rows if row.get("split")]


def _split(parts: Row) -> str:
    names = ("server_runtime_ms", "server_overhead_ms", "client_and_wire_ms")
    told = ", ".join(f"{name[:-3].replace('_', ' ')} {parts[name]:.3f} ms" for name in names)
    return f"{told} (mean of {parts['requests']} requests)"


def title(row: Row) -> str:
    """Which point a row is about."""
    return f"version {_version(row)}, batch {row['batch']}, {load(row)}"


def load(row: Row) -> str:
    """The load in words."""
    return f"{row['rate']:g}/s" if row["rate"] else f"{row['concurrency']} callers"


def as_csv(rows: Sequence[Row]) -> str:
    """One line a point, a column a figure; what has parts is spread over columns."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _cells(row: Row) -> list[str]:
    return [
        _version(row),
        str(row["batch"]),
        load(row),
        *(_with_interval(row, f"p{percent}_ms") for percent in (50, 90, 99)),
        _with_interval(row, "images_per_s"),
        str(row["requests"]),
        row["verdict"],
    ]


def _version(row: Row) -> str:
    return "latest" if row["version"] is None else str(row["version"])


def _with_interval(row: Row, key: str) -> str:
    between = row[f"{key}_interval"]
    if not between or not row[key]:
        return short(row[key])
    off = max(abs(edge - row[key]) for edge in between) / row[key]
    return f"{short(row[key])}\n±{off:.0%}"


def _flat(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat.update({f"{name}_{key}": each for key, each in _flat(value).items()})
        elif isinstance(value, (list, tuple)) and len(value) == 2 and name.endswith("_interval"):
            flat[f"{name}_low"], flat[f"{name}_high"] = value
        elif isinstance(value, (list, tuple)):
            flat[name] = "; ".join(map(str, value))
        else:
            flat[name] = value
    return flat
