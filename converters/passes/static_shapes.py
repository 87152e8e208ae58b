"""Sizes that a graph computes though they are always the same: an engine wants them as constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from converters import frames, graphs
from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.registry import on_graphs, register
from converters.remarks import remark

# what stays open is tried in two sizes: what is the same in both does not depend on it
_BATCHES: Final = (2, 3)
_SIDES: Final = ((256, 320), (288, 352))
_MOST: Final = 64  # numbers in a constant that says a size


@dataclass(frozen=True)
class _Tried:
    """The graph with every size known: its tensors' shapes, and what of it is constant then."""

    graph: Any
    constants: Mapping[str, Any]

    def shape(self, tensor: str) -> tuple[int, ...] | None:
        found = self.graph.get_tensor_by_name(tensor).shape
        return tuple(found.as_list()) if found.is_fully_defined() else None


@register("static_shapes")
@on_graphs
def static_shapes(graph: Graph) -> Graph:
    """Make sizes that neither the batch nor the picture decides constants, in reshapes above all."""
    tried = [_tried(graph, batch, sides) for batch, sides in zip(_BATCHES, _SIDES)]
    edit = Edit(graph)
    # a constant from outside of a loop or branch cannot be read within
    held = frames.inside(graph.graph_def)
    reshapes = [each for each in _targets(edit, tried) if each[0] not in held]
    for name, target in reshapes:
        _set_target(edit, name, target)
    constants = [each for each in _same(edit, tried) if each[0] not in held]
    for name, value in constants:
        edit.replace(name, "Const", [], dtype=tf.as_dtype(value.dtype), value=tf.make_tensor_proto(value))
    if reshapes or constants:
        remark(f"{len(reshapes)} reshapes and {len(constants)} sizes are constants now")
    return edit.done()


def sized(graph: Graph, batch: int, sides: Sequence[int]) -> Any:
    """A light copy of the graph whose inputs have known sizes: those that were open become these, side by side."""
    light = graphs.skeleton(graph.graph_def)
    inputs = {graphs.node_name(info.name): info for info in graph.signature.inputs.values()}
    for node in light.node:
        if node.name in inputs and node.op.startswith("Placeholder"):
            shape = tf.TensorShape(inputs[node.name].tensor_shape)
            if shape.rank is not None:
                usual = [batch, *sides, *[sides[-1]] * shape.rank]
                filled = [known or size for known, size in zip(shape.as_list(), usual)]
                node.attr["shape"].shape.CopyFrom(tf.TensorShape(filled).as_proto())
    return light


def _tried(graph: Graph, batch: int, sides: Sequence[int]) -> _Tried:
    light = sized(graph, batch, sides)
    known = graphs.imported(light)
    return _Tried(known, _constants(light, known))


def _constants(light: Any, known: Any) -> dict[str, Any]:
    """Whole numbers that are computed from constants and known shapes alone, by operation."""
    sizes = GraphDef(versions=light.versions)
    for node in light.node:
        operation = known.get_operation_by_name(node.name)
        if node.op == "Shape" and operation.inputs[0].shape.is_fully_defined():
            value = np.array(operation.inputs[0].shape, operation.outputs[0].dtype.as_numpy_dtype)
            sizes.node.add(name=node.name, op="Const").attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
            sizes.node[-1].attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        elif node.op == "Const" and not node.input:
            sizes.node.append(node)
    _add_what_follows(light, known, sizes)
    computed = [node.name for node in sizes.node if known.get_operation_by_name(node.name).type != "Const"]
    if not computed:  # of nothing at all TensorFlow makes no session
        return {}
    with tf.compat.v1.Session(graph=graphs.imported(sizes)) as session:
        return dict(zip(computed, session.run([f"{name}:0" for name in computed])))


def _add_what_follows(light: Any, known: Any, sizes: Any) -> None:
    """Whole numbers made of what is there already, until there are no more."""
    there = {node.name for node in sizes.node}
    waiting = [node for node in light.node if node.name not in there and _counts(known, node)]
    while True:
        ready = [node for node in waiting if all(graphs.node_name(name) in there for name in node.input)]
        if not ready:
            return
        sizes.node.extend(ready)
        there |= {node.name for node in ready}
        waiting = [node for node in waiting if node.name not in there]


def _counts(known: Any, node: Any) -> bool:
    outputs = known.get_operation_by_name(node.name).outputs
    return bool(node.input) and len(outputs) == 1 and outputs[0].dtype in (tf.int32, tf.int64)


def _targets(edit: Edit, tried: Sequence[_Tried]) -> Iterator[tuple[str, list[int]]]:
    """Reshapes whose target is computed but for one size the same in both; that one is -1."""
    for node in edit.graph_def.node:
        if node.op != "Reshape" or edit.constant(node.input[1]) is not None:
            continue
        one, other = (each.shape(f"{node.name}:0") for each in tried)
        if one is not None and other is not None and len(one) == len(other):
            target = [size if size == twin else -1 for size, twin in zip(one, other)]
            if target.count(-1) <= 1:
                yield node.name, target


def _set_target(edit: Edit, name: str, target: Sequence[int]) -> None:
    node = edit.nodes[name]
    dtype = node.attr["Tshape"].type or tf.int32.as_datatype_enum
    node.input[1] = edit.add_constant(f"{name}/static", np.array(target, tf.as_dtype(dtype).as_numpy_dtype))


def _same(edit: Edit, tried: Sequence[_Tried]) -> Iterator[tuple[str, Any]]:
    """What is computed, but to the same few whole numbers in both."""
    one, other = (each.constants for each in tried)
    for name in sorted(one.keys() & other.keys() & edit.nodes.keys()):
        value = one[name]
        if (
            edit.nodes[name].op != "Const"
            and name not in edit.ends
            and edit.only_first_output(edit.nodes[name])
            and value.size <= _MOST
            and value.shape == other[name].shape
            and (value == other[name]).all()
        ):
            yield name, value
