"""How the bench command reads lists of numbers, sizes and times."""

from __future__ import annotations

import re

import click

_TIME = re.compile(r"(\d+|\d*\.\d+)\s*(ms|s|)")


def integers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between, each once: 1,2,4,8."""
    try:
        return tuple(dict.fromkeys(int(each) for each in text.split(",")))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of whole numbers such as 1,2,4") from None


def rates(text: str) -> tuple[float, ...]:
    """Numbers with commas between, each once: 0.5,50,100."""
    try:
        return tuple(dict.fromkeys(float(each) for each in text.split(",")))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of numbers such as 50,100") from None


def sizes(text: str) -> tuple[int, ...]:
    """Sizes of an array: 300x300."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", text):
        raise click.BadParameter(f"{text!r} is no size such as 300x300")
    return tuple(map(int, text.split("x")))


def milliseconds(text: str) -> float:
    """A time as 7ms, 0.5s or a plain number of milliseconds."""
    found = _TIME.fullmatch(text)
    number = float(found[1]) * (1000 if found[2] == "s" else 1) if found else 0.0
    if number <= 0:
        raise click.BadParameter(f"{text!r} is no time such as 7ms or 0.5s")
    return number
