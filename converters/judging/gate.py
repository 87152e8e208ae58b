"""A version with less exact arithmetic must meet its model's accuracy goal: what harms it is taken back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Final

from converters import graphs, pipeline
from converters.int8 import sensitivity
from converters.int8.calibrated import remembered
from converters.int8.sensitivity import Suspect
from converters.judging.held_out import NotJudged
from converters.judging.judge import Judge, Score
from converters.judging.search import fewest
from converters.passes import quantize_nodes_calibrated as quantization
from converters.recipes import Step
from model_config.errors import BuildError
from model_config.manifest import Accuracy, Attempt, StepRecord

Records = tuple[StepRecord, ...]
Params = Mapping[str, str]


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


@dataclass(frozen=True)
class _Way:
    """How a calibrated pass is made more exact.

    Attributes:
        param: which of its parameters lists layers that keep more of their precision.
        precision: what these layers compute in then, in words.
        rungs: what is tried before any layer is taken back: words, and the parameters that change.
        most: how much of the arithmetic may be taken back; with more a version is no longer worth its name.
        tries: how many layers at most, where a try takes minutes.
    """

    param: str
    precision: str = "float"
    rungs: tuple[tuple[str, Callable[[Params], Params]], ...] = ()
    most: float = 0.5
    tries: int | None = None


def _more_pictures(params: Params) -> Params:
    return {"pictures": str(4 * int(params["pictures"]))}


def _larger_engines(_: Params) -> Params:
    return {"minimum_segment_size": "50"}


_WAYS: Final[Mapping[str, _Way]] = MappingProxyType(
    {
        quantization.NAME: _Way("keep_float"),
        "tf_trt": _Way(
            "half",
            "in FP16",
            (
                ("four times the calibration pictures", _more_pictures),
                ("engines of 50 operations and more", _larger_engines),
            ),
            tries=8,
        ),
    }
)
# what of a step's parameters says how it is calibrated
_LEARNT: Final = ("calibration", "pictures", "pixels", "encode", "percentile", "hold_out")


@dataclass(frozen=True)
class _Try:
    """One attempt: what was done, what it is worth, and where it lies."""

    words: str
    score: Score
    steps: Records
    folder: Path
    layers: tuple[str, ...] = ()


def _layers(order: Sequence[Suspect]) -> int:
    return sum(len(each.names) for each in order)


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
    _tried: list[_Try] = field(default_factory=list)
    _told: list[Attempt] = field(default_factory=list)

    def run(self, judge: Callable[[], Judge]) -> Passed:
        """Take the version through its steps, and make it as much more exact as its goal asks for.

        Raises:
            BuildError: it misses the goal all the same.
        """
        with remembered():  # every try calibrates the same graph
            return self._passed(judge)

    def _passed(self, judge: Callable[[], Judge]) -> Passed:
        steps = pipeline.run(self.steps, self.source, self.target, self.report)
        self.teller.now("judging")
        try:
            judging = judge()
        except NotJudged as reason:
            self.teller.say(f"not judged: {reason}")
            return Passed(steps, not_judged=str(reason))
        self.teller.say(f"judged by {judging.words}")
        first = self._kept(_Try("as declared", judging.score(self.target), steps, self.target))
        self.teller.say(f"all layers in 8 bits: {first.score.words}")
        return self._taken(judging, first if first.score.met else self._more_exact(judging))

    @property
    def _place(self) -> int:
        """Which step is the calibrated one."""
        return next(place for place, step in enumerate(self.steps) if step.calibrated)

    @property
    def _step(self) -> Step:
        return self.steps[self._place]

    @property
    def _way(self) -> _Way:
        """How this pass is made more exact; a pass of the user's has no way."""
        return _WAYS.get(self._step.name, _Way("", tries=0))

    @property
    def _before(self) -> Path:
        """What the calibrated step reads."""
        place = self._place
        return pipeline.after(place, self.steps[place - 1], self.target) if place else self.source

    @property
    def _next(self) -> Path:
        """Where the next try goes."""
        return self.target.with_name(f"{len(self._tried)}-try") / self.target.name

    def _more_exact(self, judge: Judge) -> _Try:
        """The first try that meets the goal; BuildError where none does."""
        for words, change in self._way.rungs:
            found = self._if_possible(judge, words, change(self._step.params))
            if found and found.score.met:
                return found
        order = self._order()
        return self._search(judge, order) or self._best(_layers(order))

    def _if_possible(self, judge: Judge, words: str, changes: Params, layers: Sequence[str] = ()) -> _Try | None:
        """An attempt; None where this model cannot be built so, which the next one does not suffer from."""
        try:
            return self._attempt(judge, words, changes, layers)
        except BuildError as reason:
            shutil.rmtree(self._next.parent)
            told = f"{words}: cannot be built, as {reason}"
            self._told.append(Attempt(float_layers=len(layers), value=None, words=told))
            self.teller.say(told)
            return None

    def _kept(self, found: _Try) -> _Try:
        self._tried.append(found)
        self._told.append(Attempt(float_layers=len(found.layers), value=found.score.value, words=found.words))
        return found

    def _order(self) -> list[Suspect]:
        """What is taken back, in that order; nothing where the pass knows no layers."""
        if self._way.tries == 0:
            return []
        params = {name: self._step.params.get(name, "") for name in _LEARNT}
        calibrated = quantization.load(graphs.read(self._before), **params)
        kept = sorted(quantization.names(self._step.params.get(self._way.param, "")))
        found = sensitivity.most_damaging(
            calibrated, kept, lambda done, all_: self.teller.now(f"measuring damage {done + 1} of {all_}")
        )
        worst = ", ".join(each.names[0] for each in found[:3])
        self.teller.say(f"the damage of {_layers(found)} layers is measured; most of it for its time: {worst}")
        return found

    def _search(self, judge: Judge, order: list[Suspect]) -> _Try | None:
        """The try with the fewest layers taken back; None where none meets the goal."""
        met: dict[int, _Try] = {}

        def passes(count: int) -> bool:
            part = sum(each.share for each in order[:count])
            names = [name for each in order[:count] for name in each.names]
            words = f"{len(names)} of {_layers(order)} layers {self._way.precision}, {part:.0%} of the arithmetic"
            found = self._if_possible(judge, words, {}, names)
            if found:
                met[count] = found
            return found is not None and found.score.met

        shares = accumulate(each.share for each in order)
        most = sum(1 for share in shares if share <= self._way.most)
        count = fewest(min(most, self._way.tries or most), passes)
        return None if count is None else met[count]

    def _best(self, layers: int) -> _Try:
        """The best of those that miss the goal, where it may be published; BuildError where not."""
        best = max(self._tried, key=lambda each: (each.score.value, -len(each.layers)))
        if self.below_goal:
            return best
        tried = f" even with half of it in floats; best reached, with {len(best.layers)} of {layers} layers float"
        if self._way.rungs:
            tried = f" whatever was tried; best reached, {best.words}"
        raise BuildError(
            f"8-bit arithmetic misses the accuracy goal{tried if layers else ''}: {best.score.words}; "
            "nothing was published; calibrate with more pictures, set another goal in models.yaml, "
            "or publish it with --below-goal"
        )

    def _attempt(self, judge: Judge, words: str, changes: Params, layers: Sequence[str] = ()) -> _Try:
        """The version with other parameters, and some more layers taken back."""
        self.teller.now(words)
        place, step = self._place, self._step
        named = [*filter(None, [step.params.get(self._way.param, "")]), *layers]
        listed = {self._way.param: ",".join(named)} if layers else {}
        changed = replace(step, params={**step.params, **changes, **listed})
        target = self._next
        target.parent.mkdir()
        steps = pipeline.run([changed, *self.steps[place + 1 :]], self._before, target, lambda *_: None)
        steps = (*self._tried[0].steps[:place], *steps)
        found = self._kept(_Try(words, judge.score(target), steps, target, tuple(layers)))
        self.teller.say(f"{words}: {found.score.words}")
        return found

    def _taken(self, judge: Judge, chosen: _Try) -> Passed:
        if chosen.folder != self.target:
            shutil.rmtree(self.target)
            chosen.folder.rename(self.target)
        score = chosen.score
        accuracy = Accuracy(
            metric=score.metric,
            value=score.value,
            reference=score.reference,
            examples=judge.examples,
            goal=str(judge.goal),
            met=score.met,
            words=score.words,
            float_layers=chosen.layers,
            tried=tuple(self._told),
        )
        return Passed(chosen.steps, accuracy)
