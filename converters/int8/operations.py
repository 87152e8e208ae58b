"""TensorFlow's 8-bit operations, each as it wants to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graph_edits import Edit, attribute
from converters.int8.fusing import MATRIX_PRODUCT, Fused

Span = tuple[float, float]

# what moves values and does not change them, and so can as well move 8-bit ones
CARRYING: Final = ("MaxPool", "AvgPool", "ConcatV2")
_POOLS: Final = {"MaxPool": "QuantizedMaxPool", "AvgPool": "QuantizedAvgPool"}


@dataclass(frozen=True)
class EightBits:
    """A tensor in 8 bits: an operation with three outputs, the values and the range that they span."""

    name: str
    kind: Any

    @property
    def span(self) -> list[str]:
        """The tensors of the smallest and the largest value."""
        return [f"{self.name}:1", f"{self.name}:2"]

    @property
    def outputs(self) -> list[str]:
        """All three."""
        return [self.name, *self.span]


def quantized(edit: Edit, name: str, tensor: str, kind: Any, largest: float) -> EightBits:
    """Floats, rounded to 8 bits."""
    signed = bool(kind == tf.qint8)
    inputs = [tensor, *_ends(edit, name, (-largest if signed else 0.0, largest))]
    # oneDNN takes the other rounding, and with it ten times as long for small tensors and 128 steps where it says 127
    attributes = {"T": kind, "mode": "SCALED", "round_mode": "HALF_AWAY_FROM_ZERO", "narrow_range": signed}
    return EightBits(edit.add("QuantizeV2", name, inputs, **attributes), kind)


def carried(edit: Edit, name: str, tensor: str, passed: Sequence[EightBits]) -> EightBits:
    """A pool or concatenation of 8-bit tensors of one type."""
    node, kind = edit.nodes[tensor], passed[0].kind
    values, low, high = (list(each) for each in zip(*(each.outputs for each in passed)))
    if node.op in _POOLS:
        like = {key: node.attr[key] for key in ("ksize", "strides", "padding")}
        return EightBits(edit.add(_POOLS[node.op], name, [*values, *low, *high], T=kind, **like), kind)
    inputs = [*values, node.input[len(passed)], *low, *high]
    attributes = {"T": kind, "N": len(passed), "Tidx": node.attr["Tidx"]}
    return EightBits(edit.add("QuantizedConcatV2", name, inputs, **attributes), kind)


def convolution(
    edit: Edit,
    name: str,
    fused: Fused,
    source: EightBits,
    constants: list[str],
    kind: Any,
    span: Span,
    summand: EightBits | None,
) -> EightBits:
    """A convolution over all channels, with a residual sum if there is one."""
    weights, bias, *spans = constants
    inputs = [source.name, weights, bias, *source.span, *spans, *_ends(edit, name, span)]
    types = {"Tinput": source.kind, "Tfilter": tf.qint8, "Tbias": tf.float32, "out_type": kind}
    operation = f"And{'ReluAnd' if fused.activation else ''}Requantize"
    if summand:
        inputs += summand.outputs
        types["Tsummand"] = summand.kind
        operation = f"{'Signed' if summand.kind == tf.qint8 else ''}SumAndReluAndRequantize"
    operation = f"QuantizedConv2DWithBias{operation}"
    return EightBits(edit.add(operation, name, inputs, **types, **_placed(fused)), kind)


def depthwise(
    edit: Edit, name: str, fused: Fused, source: EightBits, constants: list[str], kind: Any, span: Span
) -> EightBits:
    """A convolution of every channel for itself."""
    weights, bias, *spans = constants
    inputs = [source.name, weights, bias, *source.span, *spans, *_ends(edit, name, span)]
    attributes = {
        "Tinput": source.kind,
        "Tfilter": tf.qint8,
        "Tbias": tf.float32,
        "Tsummand": kind,
        "out_type": kind,
        "Thost_inputs": [source.kind, tf.qint8, *[tf.float32] * 7],
        "Thost_outputs": [kind, tf.float32, tf.float32],
        "fused_ops": ["BiasAdd", *(["Relu"] if fused.activation else []), "Requantize"],
    }
    return EightBits(edit.add("_FusedQuantizedDepthwiseConv2D", name, inputs, **attributes, **_placed(fused)), kind)


def product(
    edit: Edit, name: str, fused: Fused, source: EightBits, constants: list[str], kind: Any, span: Span
) -> EightBits:
    """A matrix product that stays in 8 bits."""
    steps = ["BiasAdd", *(["Relu"] if fused.activation else []), "Requantize"]
    limits = _ends(edit, name, span)
    return EightBits(_product(edit, name, [source.name, *constants[:2]], source, constants, kind, steps, limits), kind)


def wide_product(edit: Edit, name: str, fused: Fused, source: EightBits, constants: list[str]) -> str:
    """A matrix product that gives floats, of as many rows as a picture has places."""
    operands, steps = [_rows(edit, f"{name}/matrix", fused, source.name, source.kind), *constants[:2]], ["BiasAdd"]
    if fused.addend:
        operands.append(_rows(edit, f"{name}/addend", fused, fused.addend, tf.float32))
        steps.append("Add")
    if fused.activation:
        steps.append(fused.activation)
    return _product(edit, name, operands, source, constants, tf.float32, [*steps, "Dequantize"], [])


def _rows(edit: Edit, name: str, fused: Fused, tensor: str, kind: Any) -> str:
    """A matrix as it is, and of a picture one with a row a place."""
    if fused.layer.node.op == "MatMul":
        return tensor
    channels = fused.layer.channels if tensor == fused.addend else fused.layer.shape[2]
    shape = edit.add_constant(f"{name}/shape", np.array([-1, channels], np.int32))
    return edit.add("Reshape", name, [tensor, shape], T=kind, Tshape=tf.int32)


def _product(
    edit: Edit,
    name: str,
    operands: list[str],
    source: EightBits,
    constants: list[str],
    kind: Any,
    steps: list[str],
    limits: list[str],
) -> str:
    host = [*source.span, *constants[2:], *limits]
    attributes = {
        "T1": source.kind,
        "T2": tf.qint8,
        "Tbias": tf.float32,
        "Tout": kind,
        "U": tf.float32,
        "Tdevice_inputs": [source.kind, tf.qint8, *[tf.float32] * (len(operands) - 2)],
        "Thost_inputs": [tf.float32] * len(host),
        "Tdevice_outputs": [kind],
        "Thost_outputs": [] if kind == tf.float32 else [tf.float32, tf.float32],
        "fused_ops": steps,
    }
    return edit.add(MATRIX_PRODUCT, name, [*operands, *host], **attributes)


def _placed(fused: Fused) -> dict[str, Any]:
    """Where a convolution looks, as in the float one."""
    node = fused.layer.node
    like = {key: node.attr[key] for key in ("strides", "padding")}
    return {**like, "dilations": attribute(node, "dilations", [1, 1, 1, 1])}


def _ends(edit: Edit, name: str, span: Span) -> list[str]:
    ends = zip(("low", "high"), span)
    return [edit.add_constant(f"{name}/{end}", np.float32(value)) for end, value in ends]
