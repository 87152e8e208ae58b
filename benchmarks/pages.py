"""What the pages that are made of results have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def machine(environment: Mapping[str, Any], *more: str) -> str:
    """Where something was measured, in a sentence; ``more`` are keys of the environment that stand first."""
    said = [str(environment[key]) for key in more if key in environment]
    return f"Measured on {', '.join([*said, *_machine(environment)])}."


def _machine(told: Mapping[str, Any]) -> list[str]:
    return [told["processor"], f"{told['cores']} cores", told["memory"], told["time"][:10]]
