"""What the pages that are made of results have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

MISSING: Final = "not measured"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def goal(words: str, value: float | None, bound: float, *, least: bool = True) -> list[str]:
    """A row: what is wanted, at least or at most how much, what was measured, and whether that will do."""
    wanted = f"{'at least' if least else 'at most'} {bound:g}"
    if value is None:
        return [words, wanted, MISSING, ""]
    met = value >= bound if least else value <= bound
    return [words, wanted, f"{value:.4g}", "met" if met else "missed"]


def at(result: Any, keys: Sequence[str]) -> Any:
    """What stands in a result under these keys, one in the other; None where it does not."""
    for key in keys:
        result = result.get(key) if isinstance(result, Mapping) else None
    return result


def machine(environment: Mapping[str, Any], *more: str) -> str:
    """Where something was measured, in a sentence; ``more`` are keys of the environment that stand first."""
    said = [str(environment[key]) for key in more if key in environment]
    return f"Measured on {', '.join([*said, *_machine(environment)])}."


def _machine(told: Mapping[str, Any]) -> list[str]:
    return [told["processor"], f"{told['cores']} cores", told["memory"], told["time"][:10]]
