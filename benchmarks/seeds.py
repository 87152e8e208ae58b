"""Writes docs/seeds.md: what others reported of these models beside what our results hold; no figure is typed by hand.

Run: python benchmarks/seeds.py (--check only says whether the page is as the results are).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent / "docs" / "seeds.md"
MISSING: Final = "not measured"

_HEAD: Final = """\
# What was reported, and what we measure

Written by `python benchmarks/seeds.py` from [benchmarks/results](../benchmarks/results) and
[benchmarks/seeds.yaml](../benchmarks/seeds.yaml), which says which figure is taken. *Times* are speeds against the same
model in plain TensorFlow on the same machine. Where only a part of a figure's circumstances is the same (another GPU,
another network of its kind), the row says which. What nobody measured here says so.

| model | reported | by | ours |
|---|---|---|---|
"""


def page() -> str:
    """The whole text."""
    seeds = yaml.safe_load((HERE / "seeds.yaml").read_text(encoding="utf-8"))
    rows = "".join(f"| {' | '.join(_row(seed))} |\n" for seed in seeds)
    files = sorted({one["file"] for seed in seeds for one in seed.get("ours", ())})
    return f"{_HEAD}{rows}\n## Where ours were measured\n\n{''.join(_measured_on(name) for name in files)}"


def _row(seed: Mapping[str, Any]) -> tuple[str, ...]:
    source = f"[{seed['source']['title']}]({seed['source']['url']})"
    return seed["seed"], seed["reported"], source, "; ".join(map(_figure, seed.get("ours", ()))) or MISSING


def _figure(one: Mapping[str, Any]) -> str:
    value: Any = _result(one["file"])
    for key in one["value"]:
        value = value.get(key) if isinstance(value, Mapping) else None
    shown = MISSING
    if isinstance(value, (int, float)):
        shown = f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
    return str(one["of"]).replace("{} times", shown if shown == MISSING else f"{shown} times").replace("{}", shown)


def _measured_on(name: str) -> str:
    result = _result(name)
    parts = [rows["measured"] for rows in result.get("models", {}).values() if "measured" in rows]
    told = dict.fromkeys(map(_machine, parts or [result.get("environment", {})]))
    return f"- `{name}`: {'; '.join(told)}\n"


def _machine(environment: Mapping[str, Any]) -> str:
    keys = ("gpu", "tensorrt", "tensorflow", "processor", "cores", "time")
    return ", ".join(f"{key} {environment[key]}" for key in keys if key in environment) or MISSING


def _result(name: str) -> Mapping[str, Any]:
    path = HERE / "results" / name
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def problems() -> Iterator[str]:
    """What is not as it should be, in words."""
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        yield f"{PAGE} is not what the results say; write it with: python benchmarks/seeds.py"


def main() -> None:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is not up to date")
    if parser.parse_args().check:
        sys.exit("\n".join(problems()) or None)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
