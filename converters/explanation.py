"""What a detector's loop does with boxes, found by asking it and what might replace it the same.

Its constants say how much boxes may overlap and how many are kept, but hardly what becomes of boxes that reach out
of the picture. So every way there is answers drawn boxes, and the one that answers as the loop does is taken, or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import tensorflow as tf

from converters.detector_loops import DetectorLoop, Unlike
from converters.graphs import Graph
from converters.suppression import ROLES, Clip, Suppression, built
from converters.trial import Trial, drawn_boxes, drawn_scores

_PICTURES: Final = 4
_ROUNDS: Final = 3
_SEED: Final = 2
_ALIKE: Final = 1e-5
_WAYS: Final = [(prune, relative) for relative in (False, True) for prune in (True, False)]


@dataclass(frozen=True)
class Explanation:
    """What a loop does.

    Attributes:
        rule: which boxes it keeps.
        graph: the operations that do that, by placeholders, with outputs called by their roles.
        given: the tensors of the detector for the placeholders.
        roles: what each of the loop's results is.
    """

    rule: Suppression
    graph: Any
    given: Mapping[str, str]
    roles: Sequence[str]


@dataclass(frozen=True)
class _Inputs:
    """What goes into the loop: its boxes and scores by name, and every tensor's value for drawn pictures."""

    boxes: str
    scores: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class _Observed:
    """What the loop was given, by tensor, and what it answered, each over all pictures."""

    given: Mapping[str, Any]
    answers: Sequence[Any]


def explain(graph: Graph, detector: DetectorLoop, results: Sequence[str], candidates: int) -> Explanation:
    """Find the rule of a loop by its constants and by trial; Unlike when there is none."""
    limits = detector.limits()
    with Trial(graph, _PICTURES) as trial:
        inputs = _inputs(trial, detector)
        # so few anchors score at all that leaving out the others changes nothing
        seen = _observed(trial, inputs, results, candidates, limits.score)
        shapes = {name: _shape(trial.tensor(name).shape, value.shape) for name, value in inputs.values.items()}
    rows = {answer.shape[1] for answer in seen.answers if answer.ndim > 1}
    if len(rows) != 1:
        raise Unlike("its results differ in their number of rows")
    plain = Suppression(limits.iou, limits.score, limits.per_class, rows.pop(), candidates)
    for clip, window in _clips(detector, inputs):
        given = {"given_boxes": inputs.boxes, "given_scores": inputs.scores, **window}
        found = _explained(replace(plain, clip=clip), given, seen, shapes)
        if found:
            return found
    raise Unlike("CombinedNonMaxSuppression does not answer drawn boxes as it does, wherever boxes are cut off")


def _inputs(trial: Trial, detector: DetectorLoop) -> _Inputs:
    elements = detector.loop.elements
    outside = sorted(set(elements.values()))
    values = dict(zip(outside, _run(trial, outside, {})))
    boxes = {elements[each] for each in detector.sources(0)}
    boxes = {each for each in boxes if values[each].ndim in (3, 4) and values[each].shape[-1] == 4}
    scores = {elements[each] for each in detector.sources(1)} - boxes
    scores = {each for each in scores if values[each].ndim == 3}
    if len(boxes) != 1 or len(scores) != 1:
        raise Unlike("which tensors hold its boxes and scores is not clear")
    classes, found = values[min(scores)].shape[2], len(detector.suppressions)
    if classes != found:
        raise Unlike(f"it suppresses {found} times for {classes} classes")
    return _Inputs(boxes.pop(), scores.pop(), values)


def _run(trial: Trial, names: Sequence[str], instead: Mapping[str, Any]) -> list[Any]:
    try:
        return trial.run(names, instead)
    except tf.errors.OpError as error:
        raise Unlike(f"it does not answer drawn pictures ({error.message.splitlines()[0]})") from error


def _shape(known: Any, size: Sequence[int]) -> list[int | None]:
    """Any number of pictures, as many anchors as are known, and the rest as it was seen."""
    anchors = [None] * len(size) if known.rank is None else known.as_list()
    return [None, *anchors[1:2], *size[2:]]


def _observed(trial: Trial, inputs: _Inputs, results: Sequence[str], hot: int, threshold: float) -> _Observed:
    boxes, scores, windows = inputs.values[inputs.boxes], inputs.values[inputs.scores], _windows(inputs)
    draw, batch = np.random.default_rng(_SEED), len(boxes)
    pictures = max(_PICTURES, batch) * _ROUNDS
    largest = max([1.0, *(float(np.abs(inputs.values[each]).max()) for each in windows)])
    rest = 0.0 if threshold >= 0 else float("-inf")
    given = {
        inputs.boxes: drawn_boxes(draw, (pictures, *boxes.shape[1:]), largest),
        inputs.scores: drawn_scores(draw, (pictures, *scores.shape[1:]), hot, rest),
    }
    rounds = []
    for start in range(0, pictures, batch):
        instead = {name: value[start : start + batch] for name, value in given.items()}
        rounds.append(_run(trial, [*results, *windows], instead))
    answers = [np.concatenate(each) for each in zip(*rounds)]
    return _Observed({**given, **dict(zip(windows, answers[len(results) :]))}, answers[: len(results)])


def _windows(inputs: _Inputs) -> list[str]:
    return [name for name, value in inputs.values.items() if value.shape[1:] == (4,) and value.dtype == np.float32]


def _clips(detector: DetectorLoop, inputs: _Inputs) -> Iterator[tuple[Clip | None, dict[str, str]]]:
    """Every way in which the loop may cut boxes off, with the window's tensor where it has one."""
    when: Literal["before", "after"] = "before" if detector.cuts_before() else "after"
    if when == "after":
        yield None, {}
    for constants in detector.windows():
        yield from ((Clip(constants, when, *way), {}) for way in _WAYS)
    for window in _windows(inputs):
        yield from ((Clip(None, when, *way), {"given_window": window}) for way in _WAYS)


def _explained(
    rule: Suppression, given: Mapping[str, str], seen: _Observed, shapes: Mapping[str, Any]
) -> Explanation | None:
    """What the loop does if the rule explains it: with the numbers of its classes and its padding as answered."""
    sizes = {name: shapes[tensor] for name, tensor in given.items()}
    fed = {name: seen.given[tensor] for name, tensor in given.items()}
    kept = _kept(built(rule, sizes, {}), fed)
    known = [_role(kept, answer) for answer in seen.answers]
    roles = [role for role in known if role]
    if len(roles) < len(known):
        return None
    padding = {role: _padding(kept, answer) for role, answer in zip(roles, seen.answers) if role != "count"}
    shift = next((_shift(kept, answer) for role, answer in zip(roles, seen.answers) if role == "classes"), 0.0)
    rule = replace(rule, first_class=shift, padding=padding)
    graph = built(rule, sizes, {role: answer.dtype for role, answer in zip(roles, seen.answers)})
    kept = _kept(graph, fed)
    same = all(np.allclose(kept[role], answer, atol=_ALIKE) for role, answer in zip(roles, seen.answers))
    return Explanation(rule, graph, given, roles) if same else None


def _kept(graph: Any, fed: Mapping[str, Any]) -> dict[str, Any]:
    with tf.compat.v1.Session(graph=graph) as session:
        values = session.run([f"{role}:0" for role in ROLES], {f"{name}:0": value for name, value in fed.items()})
    return dict(zip(ROLES, values))


def _valid(kept: Mapping[str, Any]) -> Any:
    return np.arange(kept["scores"].shape[1]) < kept["count"][:, None]


def _role(kept: Mapping[str, Any], answer: Any) -> str | None:
    """Which of the kept boxes' properties an answer of the loop is."""
    valid = _valid(kept)
    for role in ROLES:
        if answer.shape == kept[role].shape:
            rows = ... if role == "count" else valid
            there = kept[role][rows] + (_shift(kept, answer) if role == "classes" else 0.0)
            if np.allclose(answer[rows], there, atol=_ALIKE):
                return role
    return None


def _shift(kept: Mapping[str, Any], classes: Any) -> float:
    """The number of the first class, by the first box that was kept."""
    valid = _valid(kept)
    return float((classes[valid] - kept["classes"][valid])[0]) if valid.any() else 0.0


def _padding(kept: Mapping[str, Any], answer: Any) -> float:
    """What stands in rows without a box, by the first such row."""
    rows = answer[~_valid(kept)]
    return float(rows.flat[0]) if rows.size else 0.0
