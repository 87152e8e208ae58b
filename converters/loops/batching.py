"""What an operation on one picture is on a batch of them, for those operations where that is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import op_def_registry


class NoBatchedForm(Exception):
    """An operation cannot be done for all pictures at once, for this reason."""


@dataclass(frozen=True)
class Value:
    """A tensor that one picture had, for all pictures.

    Attributes:
        tensor: the tensor in the new graph.
        form: ``same`` is one value for all pictures; ``rows`` has an axis in front, one row a picture;
            ``lone`` had an axis of size 1 in front, along which the pictures stand now.
    """

    tensor: Any
    form: Literal["same", "rows", "lone"]

    @property
    def rank(self) -> int | None:
        """How many axes one picture's tensor has."""
        rank: int | None = self.tensor.shape.rank
        return rank - 1 if self.form == "rows" and rank is not None else rank


Rule = Callable[[Any, "list[Value]"], "list[Value]"]


def batched(node: Any, values: list[Value]) -> list[Value]:
    """The outputs of an operation for all pictures, given its inputs for all pictures."""
    definition = op_def_registry.get(node.op)
    if definition is None or definition.is_stateful:
        raise NoBatchedForm(f"{node.op} is not the same every time")
    if all(value.form == "same" for value in values) and node.op not in _FLOW:
        return [Value(tensor, "same") for tensor in again(node, values)]
    if node.op not in _RULES:
        raise NoBatchedForm(f"{node.op} has no batched form here")
    return _RULES[node.op](node, values)


def rows(value: Value, count: Any) -> Any:
    """One row a picture, of which there are ``count``."""
    if value.form == "rows":
        return value.tensor
    if value.form == "lone":
        return tf.expand_dims(value.tensor, 1)
    return tf.broadcast_to(value.tensor, tf.concat([[count], tf.shape(value.tensor)], 0))


def again(node: Any, values: Sequence[Value], **attributes: int) -> list[Any]:
    """The same operation on other inputs."""
    copy = NodeDef(name=node.name, op=node.op)
    for name, attribute in node.attr.items():
        if name != "_class":
            copy.attr[name].CopyFrom(attribute)
    for name, number in attributes.items():
        copy.attr[name].i = number
    copy.input.extend(f"given_{place}" for place in range(len(values)))
    inputs = {f"given_{place}:0": value.tensor for place, value in enumerate(values)}
    (operation,) = tf.import_graph_def(GraphDef(node=[copy]), inputs, [node.name], name="")
    return list(operation.outputs)


def _constant(value: Value) -> list[int]:
    found = tf.get_static_value(value.tensor)
    if value.form != "same" or found is None:
        raise NoBatchedForm("an axis or a size is computed")
    return [int(each) for each in found.flatten()]


def _each(node: Any, values: list[Value]) -> list[Value]:
    """Elementwise: shapes still fit, as they are compared from their last axis on."""
    many = [value for value in values if value.form != "same"]
    (form, *others), ranks = {value.form for value in many}, {value.rank for value in many}
    rank = ranks.pop()
    if others or ranks or rank is None:
        raise NoBatchedForm(f"{node.op} combines tensors whose shapes are not known to fit")
    # an axis in front of the pictures' own would be taken for theirs
    limit = rank if form == "rows" else rank - 1
    if any(value.rank is None or value.rank > limit for value in values if value.form == "same"):
        raise NoBatchedForm(f"{node.op} combines tensors whose shapes are not known to fit")
    return [Value(tensor, form) for tensor in again(node, values)]


def _pictures(node: Any, values: list[Value]) -> list[Value]:
    """Operations that take a batch of pictures anyway."""
    if values[0].form != "lone" or any(value.form != "same" for value in values[1:]):
        raise NoBatchedForm(f"{node.op} is not asked for one picture at a time")
    return [Value(tensor, "lone") for tensor in again(node, values)]


def _expand_dims(node: Any, values: list[Value]) -> list[Value]:
    value, (axis,) = values[0], _constant(values[1])
    if value.form == "rows" and (axis == 0 or (value.rank is not None and axis == -value.rank - 1)):
        return [Value(value.tensor, "lone")]
    _require(node, value)
    return [Value(tf.expand_dims(value.tensor, axis + (axis >= 0)), "rows")]


def _squeeze(node: Any, values: list[Value]) -> list[Value]:
    (value,), axes = values, list(node.attr["squeeze_dims"].list.i)
    if value.form == "lone" and axes in ([0], [-(value.rank or 0)]):
        return [Value(value.tensor, "rows")]
    _require(node, value)
    if not axes:
        raise NoBatchedForm("Squeeze does not say which axes")
    return [Value(tf.squeeze(value.tensor, [axis + (axis >= 0) for axis in axes]), "rows")]


def _shape(node: Any, values: list[Value]) -> list[Value]:
    shape = again(node, values)[0][1:]
    if values[0].form == "lone":
        shape = tf.concat([tf.ones([1], shape.dtype), shape], 0)
    return [Value(shape, "same")]


def _strided_slice(node: Any, values: list[Value]) -> list[Value]:
    _require(node, *values)
    edges = [Value(tf.concat([[first], value.tensor], 0), "same") for first, value in zip((0, 0, 1), values[1:])]
    masks = {name: node.attr[name].i << 1 for name in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")}
    masks |= {name: node.attr[name].i << 1 | 1 for name in ("begin_mask", "end_mask")}
    return [Value(tensor, "rows") for tensor in again(node, [values[0], *edges], **masks)]


def _reshape(node: Any, values: list[Value]) -> list[Value]:
    _require(node, *values)
    count = tf.shape(values[0].tensor, values[1].tensor.dtype)[:1]
    size = Value(tf.concat([count, values[1].tensor], 0), "same")
    return [Value(tensor, "rows") for tensor in again(node, [values[0], size])]


def _slice(node: Any, values: list[Value]) -> list[Value]:
    _require(node, *values)
    edges = [Value(tf.concat([[first], value.tensor], 0), "same") for first, value in zip((0, -1), values[1:])]
    return [Value(tensor, "rows") for tensor in again(node, [values[0], *edges])]


def _pad(node: Any, values: list[Value]) -> list[Value]:
    _require(node, *values)
    pads = tf.concat([tf.zeros([1, 2], values[1].tensor.dtype), values[1].tensor], 0)
    return [Value(tensor, "rows") for tensor in again(node, [values[0], Value(pads, "same"), *values[2:]])]


def _transpose(node: Any, values: list[Value]) -> list[Value]:
    _require(node, *values)
    order = tf.concat([tf.zeros([1], values[1].tensor.dtype), values[1].tensor + 1], 0)
    return [Value(tensor, "rows") for tensor in again(node, [values[0], Value(order, "same")])]


def _over_axes(node: Any, values: list[Value]) -> list[Value]:
    _require(node, *values)
    axes = [axis + (axis >= 0) for axis in _constant(values[1])]
    moved = Value(tf.constant(axes, values[1].tensor.dtype), "same")
    return [Value(tensor, "rows") for tensor in again(node, [values[0], moved])]


def _concat(node: Any, values: list[Value]) -> list[Value]:
    for value in values[:-1]:
        _require(node, value)
    (axis,) = _constant(values[-1])
    moved = Value(tf.constant(axis + (axis >= 0), values[-1].tensor.dtype), "same")
    return [Value(tensor, "rows") for tensor in again(node, [*values[:-1], moved])]


def _along_attribute(node: Any, values: list[Value]) -> list[Value]:
    """Pack and Unpack."""
    for value in values:
        _require(node, value)
    axis = node.attr["axis"].i
    return [Value(tensor, "rows") for tensor in again(node, values, axis=axis + (axis >= 0))]


def _require(node: Any, value: Value, *how: Value) -> None:
    """Only what the operation is done to differs between pictures, not how it is done."""
    if value.form != "rows" or any(each.form != "same" for each in how):
        raise NoBatchedForm(f"{node.op} mixes what is one row a picture with what is not")


_UNARY: Final = ("Identity", "Cast", "Neg", "Abs", "Sqrt", "Rsqrt", "Square", "Exp", "Log", "Floor", "Round", "Relu")
_COMPARING: Final = ("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "SelectV2")
_BINARY: Final = ("Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "Maximum", "Minimum", "Pow", "SquaredDifference")
_OF_PICTURES: Final = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "AvgPool", "MaxPool")
_OVER_AXES: Final = ("Mean", "Sum", "Max", "Min", "Prod", "ReverseV2")
_FLOW: Final = {"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"}
_RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(_UNARY + _BINARY + _COMPARING, _each),
    **dict.fromkeys(_OF_PICTURES, _pictures),
    **dict.fromkeys(_OVER_AXES, _over_axes),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    **dict.fromkeys(("Pack", "Unpack"), _along_attribute),
    "ConcatV2": _concat,
    "ExpandDims": _expand_dims,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Transpose": _transpose,
}
