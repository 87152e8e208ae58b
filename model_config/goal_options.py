"""Goals on a command line: ``--goal accuracy:max-degradation=0.01``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
from pydantic import ValidationError

from model_config.errors import SuiteError, near_miss
from model_config.goals import Goal, Goals

_LIKE = "a goal is QUANTITY:WORD=NUMBER, such as accuracy:max-degradation=0.01 or p99:threshold=20"


def with_given(goals: Goals, given: Sequence[str]) -> Goals:
    """The goals, with those given as words in the place of what was said of the same quantities.

    Args:
        given: such as ``p99:threshold=20,priority=2``; words of one quantity add up.

    Raises:
        SuiteError: one is no goal.
    """
    words: dict[str, dict[str, float]] = {}
    for text in given:
        quantity, _, rest = text.partition(":")
        if quantity not in Goals.model_fields:
            raise SuiteError(f"{quantity!r} of {text!r} is no quantity ({_LIKE}); {near_miss(quantity, _quantities())}")
        words.setdefault(quantity, {}).update(_words(rest, text))
    return goals.model_copy(update={quantity: _goal(quantity, said) for quantity, said in words.items()})


def _quantities() -> list[str]:
    return list(Goals.model_fields)


def _words(rest: str, text: str) -> Iterator[tuple[str, float]]:
    for part in rest.split(","):
        word, _, number = part.partition("=")
        try:
            yield word.strip(), float(number)
        except ValueError:
            raise SuiteError(f"{text!r} gives no number for {word!r}; {_LIKE}") from None


def _goal(quantity: str, said: dict[str, Any]) -> Goal:
    known = [field.alias or name for name, field in Goal.model_fields.items()]
    unknown = [word for word in said if word not in known]
    if unknown:
        raise SuiteError(f"a goal of {quantity} has no word {unknown[0]!r}; {near_miss(unknown[0], known)}")
    try:
        return Goal(**said)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise SuiteError(f"the goal of {quantity} is wrong: {place} {problem['msg'].lower()}; {_LIKE}") from error


goals = click.option(
    "--goal",
    "goals",
    multiple=True,
    metavar="QUANTITY:WORD=NUMBER",
    help="What a version has to reach: accuracy:max-degradation=0.01, p99:threshold=20, … May be repeated.",
)
