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

from converters.graphs import Graph
from converters.loops.detector_loops import DetectorLoop, Unlike
from converters.loops.suppression import ROLES, Clip, Suppression, built
from converters.loops.trial import Trial, drawn_boxes, drawn_scores

_PICTURES: Final = 4
_ROUNDS: Final = 3
_SEED: Final = 2
_ALIKE: Final = 1e-5
_NEEDED: Final = ("boxes", "scores", "window")
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


def explain(graph: Graph, detector: DetectorLoop, candidates: int, *, engine: bool = False) -> Explanation:
    """Find the rule of a loop by its constants and by trial; Unlike when there is none."""
    limits = detector.limits()
    with Trial(graph, _PICTURES) as trial:
        inputs = _inputs(trial, detector)
        # so few anchors score at all that leaving out the others changes nothing
        seen = _observed(trial, inputs, list(detector.loop.results), candidates, limits.score)
        specs = {name: _spec(trial.tensor(name), value.shape) for name, value in inputs.values.items()}
    rows = {answer.shape[1] for answer in seen.answers if answer.ndim > 1}
    if len(rows) != 1:
        raise Unlike("its results differ in their number of rows")
    plain = Suppression(limits.iou, limits.score, limits.per_class, rows.pop(), candidates, engine=engine)
    for clip, window in _clips(detector, inputs):
        given = {"boxes": inputs.boxes, "scores": inputs.scores, **window, **_properties(inputs)}
        found = _explained(replace(plain, clip=clip), given, seen, specs)
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


def _spec(tensor: Any, size: Sequence[int]) -> tuple[Any, list[int | None]]:
    """A tensor's type and shape: any number of pictures, as many anchors as are known, and the rest as it was seen."""
    anchors = [None] * len(size) if tensor.shape.rank is None else tensor.shape.as_list()
    return tensor.dtype, [None, *anchors[1:2], *size[2:]]


def _properties(inputs: _Inputs) -> dict[str, str]:
    """What else the loop gets of each anchor and may answer of the kept ones."""
    anchors, known = inputs.values[inputs.scores].shape[:2], {inputs.boxes, inputs.scores}
    others = [name for name, value in inputs.values.items() if name not in known and value.shape[:2] == anchors]
    return {f"property_{place}": name for place, name in enumerate(others)}


def _observed(trial: Trial, inputs: _Inputs, results: Sequence[str], hot: int, threshold: float) -> _Observed:
    """Hold everything that goes into the loop, so that nothing before it runs, and see what comes out."""
    draw, batch = np.random.default_rng(_SEED), len(inputs.values[inputs.boxes])
    given = _drawn(draw, inputs, max(_PICTURES, batch) * _ROUNDS, hot, threshold)
    rounds = []
    for start in range(0, len(given[inputs.boxes]), batch):
        instead = {name: value[start : start + batch] for name, value in given.items()}
        rounds.append(_run(trial, results, instead))
    return _Observed(given, [np.concatenate(each) for each in zip(*rounds)])


def _drawn(draw: Any, inputs: _Inputs, pictures: int, hot: int, threshold: float) -> dict[str, Any]:
    """Boxes and scores as they come, windows of many sizes, and of everything else what the graph made of pictures."""
    given = {name: np.resize(value, (pictures, *value.shape[1:])) for name, value in inputs.values.items()}
    for name in _windows(inputs):
        corners = given[name].reshape(pictures, 2, 2)
        corners = np.concatenate([corners.min(1), np.maximum(corners.max(1), corners.min(1) + 0.1)], 1)
        given[name] = corners * draw.uniform(0.6, 1.0, (pictures, 1)).astype(np.float32)
    largest = max([1.0, *(float(np.abs(given[name]).max()) for name in _windows(inputs))])
    boxes, scores = given[inputs.boxes].shape, given[inputs.scores].shape
    rest = 0.0 if threshold >= 0 else float("-inf")
    drawn = {
        inputs.boxes: drawn_boxes(draw, boxes, largest),
        inputs.scores: drawn_scores(draw, scores, hot, rest),
    }
    return {**given, **drawn}


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
        yield from ((Clip(None, when, *way), {"window": window}) for way in _WAYS)


def _explained(
    rule: Suppression, given: Mapping[str, str], seen: _Observed, specs: Mapping[str, Any]
) -> Explanation | None:
    """What the loop does if the rule explains it: with the numbers of its classes and its padding as answered."""
    kept = _kept(rule, given, seen, specs)
    known = [_role(kept, answer) for answer in seen.answers]
    roles = [role for role in known if role]
    if len(roles) < len(known) or not _tells(kept):
        return None
    padding = {role: _padding(kept, answer) for role, answer in zip(roles, seen.answers) if role != "count"}
    shift = next((_shift(kept, answer) for role, answer in zip(roles, seen.answers) if role == "classes"), 0.0)
    rule = replace(rule, first_class=shift, padding=padding)
    given = {name: tensor for name, tensor in given.items() if name in (*_NEEDED, *roles)}
    types = {role: answer.dtype for role, answer in zip(roles, seen.answers)}
    kept = _kept(rule, given, seen, specs)
    same = all(np.allclose(kept[role], answer, atol=_ALIKE) for role, answer in zip(roles, seen.answers))
    if not same:
        return None
    graph = built(rule, {name: specs[tensor] for name, tensor in given.items()}, types)
    return Explanation(rule, graph, {f"given_{name}": tensor for name, tensor in given.items()}, roles)


def _kept(rule: Suppression, given: Mapping[str, str], seen: _Observed, specs: Mapping[str, Any]) -> dict[str, Any]:
    graph = built(rule, {name: specs[tensor] for name, tensor in given.items()}, {})
    roles = [*ROLES, *(name for name in given if name not in _NEEDED)]
    with tf.compat.v1.Session(graph=graph) as session:
        fed = {f"given_{name}:0": seen.given[tensor] for name, tensor in given.items()}
        return dict(zip(roles, session.run([f"{role}:0" for role in roles], fed)))


def _valid(kept: Mapping[str, Any]) -> Any:
    return np.arange(kept["scores"].shape[1]) < kept["count"][:, None]


def _tells(kept: Mapping[str, Any]) -> bool:
    """Whether the drawn pictures show boxes, and not equally many."""
    return bool(kept["count"].min() < kept["count"].max() and kept["count"].max() > 1)


def _role(kept: Mapping[str, Any], answer: Any) -> str | None:
    """Which of the kept boxes' properties an answer of the loop is."""
    valid = _valid(kept)
    for role, values in kept.items():
        if answer.shape == values.shape:
            rows = ... if role == "count" else valid
            there = values[rows] + (_shift(kept, answer) if role == "classes" else 0.0)
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
