"""Which version to ship: the fastest that meets every goal, and why each other one is not it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from clients import figures
from clients.comparison import Compared, Comparison, Difference
from model_config import goals as quantities
from model_config.goals import Goal, Goals

# where nobody says otherwise: what MLPerf asks of a quantized model
USUAL: Final = Goals(accuracy=Goal(percent_max_degradation=1))

_LAST: Final = 1_000_000  # behind every priority that anybody gives


@dataclass(frozen=True)
class Finding:
    """One goal held against one version.

    Attributes:
        words: such as ``accuracy 0.91 against 0.92 of version 1 meets max-degradation 0.05``.
        doubt: why it may be otherwise; empty when it is sure.
    """

    quantity: str
    priority: int
    met: bool
    words: str
    doubt: str = ""


@dataclass(frozen=True)
class Judged:
    """One version and all goals, those that count first coming first.

    Attributes:
        speed: images a second of the load that decides; None where it was not measured or kept no bound.
    """

    version: int
    recipe: str
    speed: float | None
    findings: tuple[Finding, ...]

    @property
    def meets_all(self) -> bool:
        """Nothing is missed."""
        return all(finding.met for finding in self.findings)

    @property
    def name(self) -> str:
        """Such as ``version 2 (quantized_weights)``."""
        return f"version {self.version} ({self.recipe})"


@dataclass(frozen=True)
class Verdict:
    """What to ship.

    Attributes:
        winner: None when no version meets every goal, or speed was not measured at all.
        sentence: the whole answer.
        reasons: why each other version is not it, by version.
        doubts: why the answer may be otherwise.
        judged: in the comparison's order.
        usual: nobody gave a goal, so the usual one was taken.
    """

    goals: Goals
    winner: int | None
    sentence: str
    reasons: dict[int, str]
    doubts: tuple[str, ...]
    judged: tuple[Judged, ...]
    usual: bool

    @property
    def any_fits(self) -> bool:
        """Some version meets every goal."""
        return any(each.meets_all for each in self.judged)

    def to_json(self) -> dict[str, Any]:
        """As a plain object."""
        findings = {each.version: [vars(finding) for finding in each.findings] for each in self.judged}
        goals = self.goals.model_dump(by_alias=True, exclude_none=True)
        plain = {"winner": self.winner, "sentence": self.sentence, "reasons": self.reasons, "doubts": self.doubts}
        return {**plain, "goals": goals, "findings": findings}


def of(comparison: Comparison, goals: Goals) -> Verdict:
    """Judge every version by the goals, or by the usual one where there is none; pure."""
    usual = not any(True for _ in _each(goals))
    goals = USUAL if usual else goals
    reference = next(each for each in comparison.versions if each.version == comparison.reference)
    judged = tuple(_judged(each, reference, goals) for each in comparison.versions)
    fit = [each for each in judged if each.meets_all]
    winner = max((each for each in fit if each.speed), key=_speed, default=None)
    if winner:
        sentence = _shipped(winner, judged, comparison.reference)
    else:
        sentence = _unmeasured(fit) if fit else _none_fits(judged)
    reasons = {each.version: _reason(each, winner) for each in judged if each is not winner}
    return Verdict(
        goals,
        winner.version if winner else None,
        sentence,
        reasons,
        tuple(_doubts(comparison, judged, winner)),
        judged,
        usual,
    )


def _each(goals: Goals) -> Iterator[tuple[str, Goal]]:
    """The goals that there are, those that count first coming first."""
    given = [(name, getattr(goals, name)) for name in Goals.model_fields]
    yield from sorted(((name, goal) for name, goal in given if goal), key=lambda pair: pair[1].priority)


def _judged(version: Compared, reference: Compared, goals: Goals) -> Judged:
    findings = tuple(_finding(name, goal, version, reference) for name, goal in _each(goals))
    speed = figures.throughput(version)
    if speed is None and figures.searched(version):  # whoever asks for the most under a bound wants the bound kept
        bound = next(row["slo"]["bound_ms"] for row in version.speed if row.get("slo"))
        none = f"no rate surely keeps p99 under {bound:g} ms"
        findings = (*findings, Finding("throughput", _LAST, False, none))
    return Judged(version.version, version.recipe, speed, findings)


def _finding(quantity: str, goal: Goal, version: Compared, reference: Compared) -> Finding:
    value, usual = figures.value(version, quantity), figures.value(reference, quantity)
    if value is None or (usual is None and goal.is_relative):
        whose = version if value is None else reference
        return Finding(quantity, goal.priority, False, f"its {quantity} {_unknown(quantity, whose)}")
    verdict = quantities.meets(quantity, goal, value, usual, reference.version)
    difference = figures.main_score(version).difference if quantity == "accuracy" else None
    doubt = _straddles(goal, usual, difference, version.version) if difference and usual is not None else ""
    return Finding(quantity, goal.priority, verdict.met, f"{_metric(quantity, version)} {verdict.words}", doubt)


def _unknown(quantity: str, whose: Compared) -> str:
    row = figures.smallest_load(whose)
    if quantity == "p99" and row is not None:
        return f"is not known from {row['requests']} requests; give --requests more"
    if quantity == "accuracy":
        return f"cannot be told from these {whose.accuracy.asked} questions; ask more"
    return f"is not known for version {whose.version}"


def _metric(quantity: str, version: Compared) -> str:
    return figures.main_score(version).metric if quantity == "accuracy" else quantity


def _straddles(goal: Goal, usual: float, difference: Difference, version: int) -> str:
    """A doubt where the true difference may be on the goal's other side."""
    sides = {quantities.meets("accuracy", goal, usual + end, usual).met for end in (difference.low, difference.high)}
    if len(sides) == 1:
        return ""
    between = f"{difference.low:+.4f} and {difference.high:+.4f}"
    return f"version {version}: its difference in accuracy is between {between}, on both sides of {goal}; ask more"


def _speed(judged: Judged) -> float:
    return judged.speed or 0.0


def _shipped(winner: Judged, judged: tuple[Judged, ...], reference: int) -> str:
    count = len(winner.findings)
    meets = "the goal" if count == 1 else f"all {count} goals"
    rate = f"{_speed(winner):.{0 if _speed(winner) >= 100 else 2}f} images/s"
    usual = next((each for each in judged if each.version == reference), winner)
    if len(judged) == 1:
        return f"Ship {winner.name}: it meets {meets} and answers {rate}."
    if winner is usual:
        return f"Ship {winner.name}: it meets {meets}, and of those that do it is the fastest with {rate}."
    if not usual.speed:
        return f"Ship {winner.name}: it meets {meets} and answers {rate}."
    times = _speed(winner) / usual.speed
    return f"Ship {winner.name}: it meets {meets} and answers {rate}, {times:.2f} times as many as version {reference}."


def _unmeasured(fit: list[Judged]) -> str:
    names = ", ".join(each.name for each in fit)
    return f"Meeting every goal: {names}. Speed was not measured, so none of them is named to be shipped."


def _none_fits(judged: tuple[Judged, ...]) -> str:
    """What comes nearest: the goals that count first decide, then speed."""
    nearest = max(judged, key=lambda each: ([finding.met for finding in each.findings], _speed(each)))
    missed = "; ".join(finding.words for finding in nearest.findings if not finding.met)
    return f"No version meets every goal. Nearest is {nearest.name}: {missed}."


def _reason(judged: Judged, winner: Judged | None) -> str:
    missed = [finding.words for finding in judged.findings if not finding.met]
    if missed or winner is None:
        return "; ".join(missed) or "it meets every goal"
    share = _speed(judged) / _speed(winner)
    return f"it meets the goals, but answers {share:.2f} times as many images a second as version {winner.version}"


def _doubts(comparison: Comparison, judged: tuple[Judged, ...], winner: Judged | None) -> Iterator[str]:
    for each in judged:
        yield from (finding.doubt for finding in each.findings if finding.doubt)
    rows = {each.version: figures.deciding_load(each) for each in comparison.versions}
    first = rows[winner.version] if winner else None
    for each in judged:
        other = rows[each.version]
        if winner and first and other and each is not winner and each.meets_all and _overlap(first, other):
            yield f"version {each.version} may be as fast as version {winner.version}: their intervals overlap"


def _overlap(one: Any, other: Any) -> bool:
    ours, theirs = one["images_per_s_interval"], other["images_per_s_interval"]
    return not (ours and theirs) or bool(theirs[1] >= ours[0])
