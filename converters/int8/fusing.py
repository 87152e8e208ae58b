"""Which layers one fused 8-bit operation can stand for, and how much of what follows it takes along."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from converters.graph_edits import Edit, attribute
from converters.layers import OPERATIONS, Layer, layers

MATRIX_PRODUCT: Final = "_QuantizedMatMul"
_ADDITIONS: Final = ("Add", "AddV2")
# channels that a picture has at most
_COLOURS: Final = 4


@dataclass(frozen=True)
class Fused:
    """A layer with what follows it, computed in one go.

    Attributes:
        bias: the constant that is added; None for zeros.
        summand: the other operand of a residual sum, itself the result of a fused convolution.
        addend: the other operand of a sum without activation, which a matrix product adds in floats.
        activation: Relu, Relu6, or None.
        last: the operation whose value it gives.
    """

    layer: Layer
    bias: str | None
    activation: str | None
    last: str
    summand: str | None = None
    addend: str | None = None

    @property
    def depthwise(self) -> bool:
        """Whether every channel is convolved for itself."""
        return bool(self.layer.node.op == "DepthwiseConv2dNative")

    @property
    def is_product(self) -> bool:
        """Whether it is a matrix product, as also a convolution is that looks at one place at a time."""
        node = self.layer.node
        if node.op == "MatMul":
            return True
        return bool(node.op == "Conv2D" and self.layer.shape[:2] == (1, 1) and set(node.attr["strides"].list.i) == {1})

    @property
    def source(self) -> str:
        """The tensor it reads."""
        return str(self.layer.node.input[0])


def find(edit: Edit, keep_float: Collection[str]) -> list[Fused]:
    """All layers that 8-bit operations should compute, but for those named in ``keep_float``."""
    plain = [_fused(edit, layer) for layer in layers(edit) if layer.node.name not in keep_float and _fits(edit, layer)]
    return _with_addends(edit, _with_sums(edit, _without_stem(plain)))


def can_multiply() -> bool:
    """Whether this TensorFlow has the 8-bit matrix product."""
    return op_def_registry.get(MATRIX_PRODUCT) is not None


def _without_stem(plain: list[Fused]) -> list[Fused]:
    """Leave out a convolution over a picture with the depthwise one after it.

    So little arithmetic on so many values gains little in 8 bits, and no other rounding does as much damage.
    """
    stems = {each.last for each in plain if not each.depthwise and each.layer.shape[-2] <= _COLOURS}
    followed = {last for each in plain if each.depthwise and each.source in stems for last in (each.source, each.last)}
    return [each for each in plain if each.last not in followed]


def _fits(edit: Edit, layer: Layer) -> bool:
    node = layer.node
    if node.op == "MatMul":
        is_float = node.attr["T"].type == tf.float32.as_datatype_enum
        return bool(can_multiply() and is_float and not attribute(node, "transpose_a").b)
    if layer.data_format != "NHWC" or node.attr["padding"].s not in (b"SAME", b"VALID"):
        return False
    if node.op == "DepthwiseConv2dNative" and layer.shape[3] != 1:
        return False
    return bool(node.attr["T"].type == tf.float32.as_datatype_enum) and not _grouped(edit, layer)


def _grouped(edit: Edit, layer: Layer) -> bool:
    """Its weights see a part of the channels only, for which there is no 8-bit operation."""
    shape = edit.shape(layer.node.input[0])
    return bool(shape.rank is not None and shape[-1] not in (None, layer.shape[2]))


def _fused(edit: Edit, layer: Layer) -> Fused:
    last, bias = layer.node, None
    after = edit.only_reader(last)
    if after is not None and after.op == "BiasAdd" and edit.constant(after.input[1]) is not None:
        last, bias = after, str(after.input[1])
        after = edit.only_reader(last)
    if after is None or after.op not in ("Relu", "Relu6"):
        return Fused(layer, bias, None, str(last.name))
    return Fused(layer, bias, str(after.op), str(after.name))


def _with_sums(edit: Edit, plain: list[Fused]) -> list[Fused]:
    """Take residual sums along: a convolution without activation, plus another's result, then Relu."""
    found = {each.last: each for each in plain}
    for each in plain:
        summed = _summed(edit, each)
        if summed is not None and summed.last not in found:
            del found[each.last]
            found[summed.last] = summed
    return _possible_sums(plain, found)


def _possible_sums(plain: list[Fused], found: dict[str, Fused]) -> list[Fused]:
    """Undo sums whose other operand is not the result of 8-bit arithmetic, until all others' are."""
    before = {id(each.layer.node): each for each in plain}
    while True:
        bad = [each for each in found.values() if each.summand and each.summand not in found]
        if not bad:
            return list(found.values())
        for each in bad:
            del found[each.last]
            undone = before[id(each.layer.node)]
            found[undone.last] = undone


def _summed(edit: Edit, fused: Fused) -> Fused | None:
    addition = None if fused.activation or fused.layer.node.op != "Conv2D" else edit.only_reader(edit.nodes[fused.last])
    if addition is None or addition.op not in _ADDITIONS:
        return None
    others = [str(name) for name in addition.input if name != fused.last]
    relu = edit.only_reader(addition)
    # TensorFlow crashes where one tensor is both convolved and added
    if len(others) != 1 or others[0] == fused.source or relu is None or relu.op != "Relu":
        return None
    return replace(fused, summand=others[0], activation="Relu", last=str(relu.name))


def _with_addends(edit: Edit, found: list[Fused]) -> list[Fused]:
    """Take sums without activation along, where a matrix product is one of their operands."""
    taken = {each.summand for each in found}
    done = []
    for each in found:
        added = None if each.last in taken else _added(edit, each)
        if added is not None and added.last not in taken:
            taken.add(added.last)
            each = added
        done.append(each)
    return done


def _added(edit: Edit, fused: Fused) -> Fused | None:
    if fused.activation or not fused.is_product or not can_multiply():
        return None
    addition = edit.only_reader(edit.nodes[fused.last])
    if addition is None or addition.op not in _ADDITIONS:
        return None
    others = [str(name) for name in addition.input if name != fused.last]
    if len(others) != 1 or not _of_a_layer(edit, others[0]) or not _alike(edit, others[0], fused.last):
        return None
    return replace(fused, addend=others[0], last=str(addition.name))


def _of_a_layer(edit: Edit, tensor: str) -> bool:
    """A layer's result or a sum of some, so that it surely has an example for each of the batch."""
    node = edit.nodes.get(tensor)
    while node is not None and node.op in (*_ADDITIONS, "BiasAdd", "Relu", "Relu6"):
        node = edit.nodes.get(node.input[0])
    return node is not None and node.op in OPERATIONS


def _alike(edit: Edit, one: str, other: str) -> bool:
    """Of the same known sizes, so that nothing is repeated to be added."""
    first, second = (edit.shape(tensor) for tensor in (one, other))
    return bool(first.rank and second.rank and None not in first[1:] and first.as_list() == second.as_list())
