"""Write docs/versions.md from what was measured: python benchmarks/versions_page.py

No number of the page is typed by hand; it says what benchmarks/results/convert.json says, and whatever that lacks is
left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pages import machine, table

RESULT: Final = Path(__file__).parent / "results" / "convert.json"
PAGE: Final = Path(__file__).parents[1] / "docs" / "versions.md"

# what a row of the results is called on the page
_NAMES: Final[Mapping[str, str]] = {
    "original": "1 `original`",
    "quantized_weights": "2 `quantized_weights`",
    "quantized_nodes": "3 `quantized_nodes`",
    "optimized": "7 `optimized`",
    "gtt_quantized_weights": "`gtt_quantized_weights`",
    "gtt_quantized_nodes": "`gtt_quantized_nodes`",
    "neural_compressor": "neural-compressor on 7",
}
_COLUMNS: Final = ("version", "size", "batch 1", "batch 8", "batch 1, oneDNN off", "accuracy", "build, s")
_INTRODUCTION: Final = """# What each version costs and is worth

Made by `python benchmarks/versions_page.py` from benchmarks/results/convert.json; nothing here is typed by hand.

Speeds are ratios to version 1 in the same run, versions taking turns of a quarter of a second: 2 is twice as fast, 0.5
takes twice the time. Sizes are shares of version 1's. The accuracy is that on pictures that nothing was learnt from, by
which the gate judges version 3 as well: average precision of a detector, agreement with version 1 of a classifier; a
model with random weights has none.
`gtt_quantized_weights` and `gtt_quantized_nodes` are the Graph Transform Tool's own lists, to compare with: the first
stores 8-bit weights that TensorFlow widens in a form whose order oneDNN then cannot keep between requests, the second
computes in the tool's unfused 8-bit operations.
"""


def page(result: Mapping[str, Any]) -> str:
    """The whole page for what the benchmark found."""
    parts = [_INTRODUCTION.rstrip(), *(_model(name, rows) for name, rows in result["models"].items())]
    if result.get("pipeline"):
        parts.append(_pipeline(result["pipeline"]))
    return "\n".join(parts)


def _model(name: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    known = {key: row for key, row in rows.items() if key in _NAMES}
    lines = [
        f"\n## {name}\n\n{machine(rows['measured'])}\n",
        table(_COLUMNS, [_cells(key, row) for key, row in known.items() if "build_s" in row]),
    ]
    lines += [f"\n{_NAMES[key]}: {row['absent']}" for key, row in known.items() if "absent" in row]
    lines += [f"\n{sentence}" for sentence in _costs(known)]
    return "\n".join(lines)


def _cells(key: str, row: Mapping[str, Any]) -> list[str]:
    speeds = [_number(row, f"{batch}_speed_of_version_1") for batch in ("batch_1", "batch_8", "batch_1_without_onednn")]
    size = _number(row, "size_of_version_1")
    return [_NAMES[key], size, *speeds, _accuracy(row.get("accuracy")), _number(row, "build_s")]


def _number(row: Mapping[str, Any], key: str) -> str:
    if key not in row:
        return "-"
    return "does not run" if row[key] is None else f"{row[key]:.2f}"


def _accuracy(found: Mapping[str, Any] | None) -> str:
    return "-" if found is None else f"{found['metric']} {found['value']:.4f}"


def _costs(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What the tool's lists cost, in a sentence each."""
    for key in ("gtt_quantized_weights", "gtt_quantized_nodes"):
        ratio = rows.get(key, {}).get("batch_1_speed_of_version_1")
        if ratio:
            yield f"`{key}` takes {1 / ratio:.2f} times as long as version 1 for one picture{_lost(rows, key)}."


def _lost(rows: Mapping[str, Mapping[str, Any]], key: str) -> str:
    accuracy, reference = (rows[each].get("accuracy") for each in (key, "original"))
    if not accuracy or not reference:
        return ""
    return f", and has {accuracy['metric']} {accuracy['value']:.4f} where version 1 has {reference['value']:.4f}"


def _pipeline(found: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [f"`{name}`", *(f"{row[key]:.2f}" for key in ("pipeline_s", "bare_s")), f"{row['overhead']:+.0%}"]
        for name, row in found.items()
        if name != "measured"
    ]
    columns = ("recipe, without calibration", "as a build, s", "bare transforms, s", "more")
    where = machine(found["measured"])
    return f"\n## What the pipeline itself costs\n\n{where}\n\n{table(columns, rows)}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(json.loads(RESULT.read_text())))


if __name__ == "__main__":
    main()
