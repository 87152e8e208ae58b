"""Goals: what a version has to reach against version 1, in Olive's words, one quantity each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Optional

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(ge=0)]

# everything else is better when it is lower
HIGHER_IS_BETTER: Final = frozenset({"accuracy", "throughput"})


_UNITS: Final = {"p99": (1.0, " ms"), "throughput": (1.0, "/s"), "size": (1e6, " MB"), "memory": (1e6, " MB")}


def in_unit(quantity: str, value: float) -> str:
    """A quantity's value as people read it, such as ``2.3 MB``."""
    size, name = _UNITS.get(quantity, (1.0, ""))
    return f"{value / size:.4g}{name}"


def _dashes(name: str) -> str:
    return name.replace("_", "-")


class Goal(BaseModel):
    """What one quantity has to reach; where several words are given, all of them hold.

    Attributes:
        max_degradation: how much worse than version 1 at most, in the quantity's own unit.
        percent_max_degradation: the same in percent of version 1's value.
        percent_min_improvement: how much better than version 1 at least, in percent of its value.
        threshold: the value itself: at least this where more is better, at most this elsewhere.
        priority: which goal counts first where not all can be met; 1 is the first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=_dashes, populate_by_name=True)

    max_degradation: Optional[Positive] = None
    percent_max_degradation: Optional[Positive] = None
    percent_min_improvement: Optional[Positive] = None
    threshold: Optional[float] = None
    priority: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _says_something(self) -> Goal:
        words = self.model_dump(exclude={"priority"}, exclude_none=True)
        if not words:
            known = ", ".join(_dashes(name) for name in type(self).model_fields if name != "priority")
            raise ValueError(f"a goal needs one of {known}")
        return self

    @property
    def is_relative(self) -> bool:
        """Whether the reference's value has to be known to judge by it; a threshold alone asks for none."""
        words = (self.max_degradation, self.percent_max_degradation, self.percent_min_improvement)
        return any(word is not None for word in words)

    def __str__(self) -> str:
        """Such as ``max-degradation 0.005``."""
        words = self.model_dump(by_alias=True, exclude={"priority"}, exclude_none=True)
        return ", ".join(f"{word} {value:g}" for word, value in words.items())


class Goals(BaseModel):
    """The goals of one model; a quantity without one is free.

    Attributes:
        accuracy: the task's metric, or agreement with version 1 where there are no labelled data.
        p99: of the latency, in milliseconds.
        throughput: answers a second.
        size: of the servable, in bytes.
        memory: of the server, in bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: Optional[Goal] = None
    p99: Optional[Goal] = None
    throughput: Optional[Goal] = None
    size: Optional[Goal] = None
    memory: Optional[Goal] = None


@dataclass(frozen=True)
class Verdict:
    """Whether a value meets a goal, and the sentence that says so."""

    met: bool
    words: str


def meets(quantity: str, goal: Goal, value: float, reference: float | None, against: int = 1) -> Verdict:
    """Hold a value against a goal.

    What is no number meets no goal.

    Args:
        quantity: a field of Goals, which says whether more or less is better.
        reference: the value of the version that it is held ``against``; None where nobody knows it, which only a
            goal that is not relative can do without.
    """
    sign = 1 if quantity in HIGHER_IS_BETTER else -1
    missed = list(_missed(goal, sign, value, value if reference is None else reference))
    said = in_unit(quantity, value)
    if reference is not None:
        said = f"{said} against {in_unit(quantity, reference)} of version {against}"
    if missed:
        return Verdict(False, f"{said} misses {' and '.join(missed)}")
    return Verdict(True, f"{said} meets {goal}")


def _missed(goal: Goal, sign: int, value: float, reference: float) -> Iterator[str]:
    """The words of a goal that a value misses; ``sign`` is 1 where more is better."""
    gain, unit = sign * (value - reference), abs(reference) / 100
    if math.isnan(gain):
        yield str(goal)
        return
    slack = 1e-9 * max(abs(value), abs(reference))  # 0.95 is not within 0.05 of 1 as computers count
    if goal.max_degradation is not None and -gain > goal.max_degradation + slack:
        yield f"max-degradation {goal.max_degradation:g}"
    if goal.percent_max_degradation is not None and -gain > goal.percent_max_degradation * unit + slack:
        yield f"percent-max-degradation {goal.percent_max_degradation:g}"
    if goal.percent_min_improvement is not None and gain < goal.percent_min_improvement * unit - slack:
        yield f"percent-min-improvement {goal.percent_min_improvement:g}"
    if goal.threshold is not None and sign * (value - goal.threshold) < 0:
        yield f"threshold {goal.threshold:g}"


def limit(quantity: str, goal: Goal, reference: float) -> float:
    """The value that just meets a goal, to be drawn into charts; one that is not relative may have any reference."""
    sign, unit = (1 if quantity in HIGHER_IS_BETTER else -1), abs(reference) / 100
    least = [
        None if goal.max_degradation is None else reference - sign * goal.max_degradation,
        None if goal.percent_max_degradation is None else reference - sign * goal.percent_max_degradation * unit,
        None if goal.percent_min_improvement is None else reference + sign * goal.percent_min_improvement * unit,
        goal.threshold,
    ]
    return sign * max(sign * each for each in least if each is not None)
