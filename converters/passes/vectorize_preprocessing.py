"""The loop that resizes and normalises one picture after the other, though a batch is one tensor of one size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graphs import Graph
from converters.loops.batching import NoBatchedForm, Value, batched, rows
from converters.loops.detector_loops import NMS
from converters.loops.patterns import MapLoop, Wiring, below, data_inputs, live, map_loops, spliced
from converters.loops.trial import Trial
from converters.registry import on_graphs, register
from converters.remarks import remark

_PICTURES: Final = 3
_ALIKE: Final = 1e-5


@register("vectorize_preprocessing")
@on_graphs
def vectorize_preprocessing(graph: Graph) -> Graph:
    """Prepare all pictures of a batch at once instead of in a loop."""
    wiring = Wiring(graph.graph_def)
    loops = live(wiring, map_loops(wiring), graph.output_tensors)
    loops = [loop for loop in loops if not _suppresses(wiring, loop)]
    if not loops:
        remark("no loop over pictures was recognised; the graph stays as it was")
    for loop in loops:
        try:
            graph = _rewritten(graph, loop)
        except NoBatchedForm as why:
            remark(f"the loop {loop.frame} stays: {why}")
    return graph


def _suppresses(wiring: Wiring, loop: MapLoop) -> bool:
    return any(node.op in NMS for node in loop.body(wiring).values())


def _rewritten(graph: Graph, loop: MapLoop) -> Graph:
    wiring = Wiring(graph.graph_def)
    with Trial(graph, _PICTURES) as trial:
        given, made = _batch(wiring, loop, trial)
        _require_alike(trial, given, made, loop.results)
    scope = wiring.free("vectorized")
    named = dict(zip(loop.results, _names(loop.results)))
    remark(f"the loop {loop.frame} became {len(made.get_operations()) - len(given)} operations on the whole batch")
    added = below(scope, made.as_graph_def(), given)
    return spliced(graph, added, {name: f"{scope}/{inside}" for name, inside in named.items()})


def _names(results: Mapping[str, str]) -> list[str]:
    return [f"result_{number}" for number in range(len(results))]


def _batch(wiring: Wiring, loop: MapLoop, trial: Trial) -> tuple[dict[str, str], tf.Graph]:
    """What one round of the loop does, done for all pictures: placeholders with the tensors for them, and a graph."""
    body = loop.body(wiring)
    used = {name for node in body.values() for name in data_inputs(node)} | {*loop.results.values(), *loop.elements}
    given: dict[str, str] = {}
    values: dict[str, Value] = {}
    made = tf.Graph()
    with made.as_default():
        for inside, outside in {**loop.captures, **loop.elements}.items():
            if inside in used:
                form: Any = "rows" if inside in loop.elements else "same"
                values[inside] = Value(_input(wiring, trial, outside, given), form)
        count = tf.shape(next(values[name].tensor for name in loop.elements))[0]
        for node in body.values():
            for place, value in enumerate(batched(node, [values[name] for name in data_inputs(node)])):
                values[f"{node.name}:{place}" if place else node.name] = value
        for name, inside in zip(_names(loop.results), loop.results.values()):
            tf.identity(rows(values[inside], count), name)
    return given, made


def _input(wiring: Wiring, trial: Trial, outside: str, given: dict[str, str]) -> Any:
    constant = wiring.constant(outside)
    if constant is not None:
        return tf.constant(constant)
    name, tensor = f"given_{len(given)}", trial.tensor(outside)
    given[name] = outside
    return tf.compat.v1.placeholder(tensor.dtype, tensor.shape, name)


def _require_alike(trial: Trial, given: Mapping[str, str], made: tf.Graph, results: Mapping[str, str]) -> None:
    """Refuse what answers drawn pictures differently than the loop does."""
    try:
        values = trial.run([*results, *given.values()])
        fed = {f"{name}:0": value for name, value in zip(given, values[len(results) :])}
        with tf.compat.v1.Session(graph=made) as session:
            answers = session.run([f"{name}:0" for name in _names(results)], fed)
    except tf.errors.OpError as error:
        raise NoBatchedForm(f"drawn pictures are not answered ({error.message.splitlines()[0]})") from error
    for name, answer, wanted in zip(results, answers, values):
        if answer.shape != wanted.shape or not np.allclose(answer, wanted, atol=_ALIKE):
            raise NoBatchedForm(f"{name} would no longer be what it is for drawn pictures")
