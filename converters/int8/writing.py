"""Write oneDNN's fused 8-bit operations in the place of convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from converters.graph_edits import Edit, attribute
from converters.int8.fusing import Fused
from converters.int8.ranges import Range


class Writer:
    """All 8-bit operations of one graph, which hand their results on in 8 bits wherever the next one takes them.

    An 8-bit tensor is three outputs: the values and the range that they span.
    """

    def __init__(self, edit: Edit, fused: list[Fused], ranges: Mapping[str, Range]) -> None:
        """Nothing is written yet."""
        self._edit, self._ranges = edit, ranges
        self._fused = {each.last: each for each in fused}
        self._suffix = edit.free_suffix("int8")
        self._written: dict[str, str] = {}

    def write(self) -> None:
        """Replace every convolution, and widen its result for those who read it as floats."""
        for fused in self._fused.values():
            self._convolution(fused)
        for fused in self._fused.values():
            stored = self._name(fused.last)
            inputs = [stored, f"{stored}:1", f"{stored}:2"]
            self._edit.replace(fused.last, "Dequantize", inputs, T=self.type_of(fused.last), mode="SCALED")

    def type_of(self, tensor: str) -> Any:
        """Unsigned where no value is negative, which takes half as wide steps."""
        if tensor in self._fused:
            return tf.quint8 if self._fused[tensor].activation else tf.qint8
        passed = self._passed_through(tensor)
        if passed:
            return self.type_of(passed[0])
        return tf.quint8 if self._ranges[tensor].low >= 0 else tf.qint8

    def _name(self, tensor: str) -> str:
        return f"{tensor.replace(':', '_')}/{self._suffix}"

    def _passed_through(self, tensor: str) -> list[str]:
        """What a pool or a concatenation reads, where all of that is there in 8 bits of one type."""
        return passed_through(self._edit, tensor, self._fused)

    def _eight_bits(self, tensor: str) -> str:
        """The 8-bit form of a tensor, written now if nothing computes it."""
        if tensor in self._fused:
            return self._name(tensor)
        if tensor not in self._written:
            passed = [self._eight_bits(each) for each in self._passed_through(tensor)]
            self._written[tensor] = self._carried(tensor, passed) if passed else self._quantized(tensor)
        return self._written[tensor]

    def _quantized(self, tensor: str) -> str:
        name, kind, largest = self._name(tensor), self.type_of(tensor), self._ranges[tensor].largest
        inputs = [tensor, *self._range(name, 0.0 if kind == tf.quint8 else -largest, largest)]
        return self._edit.add("QuantizeV2", name, inputs, T=kind, mode="SCALED", round_mode="HALF_TO_EVEN")

    def _carried(self, tensor: str, passed: list[str]) -> str:
        node, name, kind = self._edit.nodes[tensor], self._name(tensor), self.type_of(tensor)
        low, high = ([f"{each}:{output}" for each in passed] for output in (1, 2))
        if node.op == "MaxPool":
            like = {key: node.attr[key] for key in ("ksize", "strides", "padding")}
            return self._edit.add("QuantizedMaxPool", name, [*passed, *low, *high], T=kind, **like)
        inputs = [*passed, node.input[len(passed)], *low, *high]
        return self._edit.add("QuantizedConcatV2", name, inputs, T=kind, N=len(passed), Tidx=node.attr["Tidx"])

    def _range(self, name: str, low: float, high: float) -> list[str]:
        ends = {"low": low, "high": high}
        return [self._edit.add_constant(f"{name}/{end}", np.float32(value)) for end, value in ends.items()]

    def _convolution(self, fused: Fused) -> None:
        name, source = self._name(fused.last), self._eight_bits(fused.source)
        weights, bias, spans = self._constants(name, fused)
        inputs = [source, weights, bias, f"{source}:1", f"{source}:2", *spans, *self._range(name, *self._span(fused))]
        types = {"Tinput": self.type_of(fused.source), "Tfilter": tf.qint8, "Tbias": tf.float32}
        if fused.summand:
            summand = self._eight_bits(fused.summand)
            inputs += [summand, f"{summand}:1", f"{summand}:2"]
            types["Tsummand"] = self.type_of(fused.summand)
        node = fused.layer.node
        like = {key: node.attr[key] for key in ("strides", "padding")}
        dilations = attribute(node, "dilations", [1, 1, 1, 1])
        kind = self.type_of(fused.last)
        self._edit.add(self._operation(fused), name, inputs, **types, **like, dilations=dilations, out_type=kind)

    def _operation(self, fused: Fused) -> str:
        start = "QuantizedDepthwiseConv2DWithBias" if fused.depthwise else "QuantizedConv2DWithBias"
        if fused.summand:
            sign = "Signed" if self.type_of(fused.summand) == tf.qint8 else ""
            return f"{start}{sign}SumAndReluAndRequantize"
        return f"{start}And{'ReluAnd' if fused.activation else ''}Requantize"

    def _span(self, fused: Fused) -> tuple[float, float]:
        largest = self._ranges[fused.last].largest
        if fused.summand and self.type_of(fused.summand) == tf.qint8:
            return 0.0, 2 * largest  # oneDNN adds to signed values in place, and cuts off at 127 of 255 steps
        if fused.activation == "Relu6":
            return 0.0, min(largest, 6.0)
        return (0.0 if fused.activation else -largest), largest

    def _constants(self, name: str, fused: Fused) -> tuple[str, str, list[str]]:
        """Weights in 8 bits, the bias, and the range of each channel's weights."""
        layer, values = fused.layer, self._edit.constant(fused.layer.weights)
        stored, scales = layer.quantized(values)
        largest = scales.reshape(-1) * np.float32(127)
        weights = self._edit.add_constant(f"{name}/weights", stored, tf.qint8)
        off = self._offset(fused, stored * scales - values)
        bias = self._edit.add_constant(f"{name}/bias", (self._bias(fused) - off).astype(np.float32))
        spans = {"smallest": -largest, "largest": largest}
        return weights, bias, [self._edit.add_constant(f"{name}/{key}", value) for key, value in spans.items()]

    def _bias(self, fused: Fused) -> Any:
        return 0.0 if fused.bias is None else self._edit.constant(fused.bias)

    def _offset(self, fused: Fused, errors: Any) -> Any:
        """How far the rounding of the weights moves each channel on average, which the bias can take back."""
        means = self._ranges[fused.source].means
        subscripts = "hwcm,c->cm" if fused.depthwise else "hwio,i->o"
        return np.einsum(subscripts, errors, means).reshape(-1)


def passed_through(edit: Edit, tensor: str, fused: Mapping[str, Fused]) -> list[str]:
    """What a pool or concatenation reads, where all of it comes from 8-bit operations of one type."""
    node = edit.nodes.get(tensor)
    if node is None or node.op not in ("MaxPool", "ConcatV2"):
        return []
    read = [str(name) for name in (node.input[:1] if node.op == "MaxPool" else node.input[:-1])]
    signs = {fused[name].activation is None if name in fused else None for name in read}
    return read if len(signs) == 1 and None not in signs else []
