"""A version with less exact arithmetic must meet its model's accuracy goal: layers go back to float until it does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from converters import graphs, pipeline
from converters.int8 import sensitivity
from converters.judging.held_out import NotJudged
from converters.judging.judge import Judge, Score
from converters.judging.search import fewest
from converters.passes import quantize_nodes_calibrated as quantization
from converters.recipes import Step
from model_config.errors import BuildError
from model_config.manifest import Accuracy, Attempt, StepRecord

Records = tuple[StepRecord, ...]


@dataclass(frozen=True)
class Teller:
    """Whom to tell: a sentence that stays, and what is being done now."""

    say: Callable[[str], None] = lambda _: None
    now: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Passed:
    """What came through the gate: its steps, and its accuracy or why that is not known."""

    steps: Records
    accuracy: Accuracy | None = None
    not_judged: str | None = None


SILENT: Final = Teller()


@dataclass
class Gate:
    """One version on its way through a recipe with a calibrated step.

    Attributes:
        source: what the steps start from, version 1 as a SavedModel.
        target: where the result goes.
        below_goal: let the best through even if it misses the goal.
    """

    steps: Sequence[Step]
    source: Path
    target: Path
    report: pipeline.Report
    teller: Teller = SILENT
    below_goal: bool = False
    _tried: dict[int, tuple[Score, Records]] = field(default_factory=dict)

    def run(self, judge: Callable[[], Judge]) -> Passed:
        """Take the version through its steps, and as many layers back to float as its goal asks for.

        Raises:
            BuildError: it misses the goal all the same.
        """
        steps = pipeline.run(self.steps, self.source, self.target, self.report)
        self.teller.now("judging")
        try:
            judging = judge()
        except NotJudged as reason:
            self.teller.say(f"not judged: {reason}")
            return Passed(steps, not_judged=str(reason))
        self.teller.say(f"judged by {judging.words}")
        score = judging.score(self.target)
        self._tried[0] = (score, steps)
        self.teller.say(f"all layers in 8 bits: {score.words}")
        order: list[str] = [] if score.met else self._order()
        count = 0 if score.met else self._search(judging, order)
        return self._taken(judging, order, count)

    @property
    def _place(self) -> int:
        """Which step is the calibrated one."""
        return next(place for place, step in enumerate(self.steps) if step.calibrated)

    @property
    def _before(self) -> Path:
        """What the calibrated step reads."""
        place = self._place
        return pipeline.after(place, self.steps[place - 1], self.target) if place else self.source

    def _order(self) -> list[str]:
        """The layers in the order in which they go back to float."""
        params = dict(self.steps[self._place].params)
        kept = quantization.names(params.pop("keep_float", ""))
        calibrated = quantization.load(graphs.read(self._before), **params)
        found = sensitivity.most_damaging(
            calibrated, sorted(kept), lambda done, all_: self.teller.now(f"measuring layer {done + 1} of {all_}")
        )
        self.teller.say(f"the damage of {len(found)} layers is measured; most of it: {', '.join(found[:3])}")
        return found

    def _search(self, judge: Judge, order: list[str]) -> int:
        """How many layers go back to float; BuildError where half of them would not do."""

        def passes(count: int) -> bool:
            self.teller.now(f"{count} of {len(order)} layers float")
            score, _ = self._tried[count] = self._attempt(judge, order[:count], self._folder(count))
            self.teller.say(f"{count} of {len(order)} layers float: {score.words}")
            return score.met

        # with more in floats it is no longer worth its name
        count = fewest(len(order) // 2, passes)
        if count is not None:
            return count
        best = max(self._tried, key=lambda each: (self._tried[each][0].value, -each))
        if not self.below_goal:
            raise BuildError(
                f"8-bit arithmetic misses the accuracy goal even with half of the layers float; best reached, with "
                f"{best} of {len(order)} float: {self._tried[best][0].words}; nothing was published; calibrate with "
                "more pictures, set another goal in models.yaml, or publish it all the same with --below-goal"
            )
        return best

    def _folder(self, count: int) -> Path:
        return self.target.with_name(f"{count}-float") / self.target.name

    def _attempt(self, judge: Judge, kept: Sequence[str], target: Path) -> tuple[Score, Records]:
        """The version with some more layers float."""
        place = self._place
        step = self.steps[place]
        declared = step.params.get("keep_float", "")
        changed = replace(step, params={**step.params, "keep_float": ",".join([*filter(None, [declared]), *kept])})
        target.parent.mkdir()
        steps = pipeline.run([changed, *self.steps[place + 1 :]], self._before, target, lambda *_: None)
        return judge.score(target), (*self._tried[0][1][:place], *steps)

    def _taken(self, judge: Judge, order: list[str], count: int) -> Passed:
        if count:
            shutil.rmtree(self.target)
            self._folder(count).rename(self.target)
        score, steps = self._tried[count]
        accuracy = Accuracy(
            metric=score.metric,
            value=score.value,
            reference=score.reference,
            examples=judge.examples,
            goal=str(judge.goal),
            met=score.met,
            words=score.words,
            float_layers=tuple(order[:count]),
            tried=tuple(Attempt(float_layers=each, value=score.value) for each, (score, _) in self._tried.items()),
        )
        return Passed(steps, accuracy)
