"""Write oneDNN's fused 8-bit operations in the place of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from converters.graph_edits import Edit
from converters.int8 import operations
from converters.int8.biases import Moved
from converters.int8.fusing import Fused, can_multiply
from converters.int8.operations import EightBits
from converters.int8.ranges import Range

# weights in 8 bits, and the factors that turn them back
Quantized = tuple[Any, Any]


class Writer:
    """All 8-bit operations of one graph, which hand their results on in 8 bits wherever the next one takes them."""

    def __init__(
        self, edit: Edit, fused: list[Fused], ranges: Mapping[str, Range], weights: dict[str, Quantized]
    ) -> None:
        """Nothing is written yet.

        Args:
            weights: of layers that were written before, in another graph of the same layers; new ones are added.
        """
        self._edit, self._ranges, self._weights = edit, ranges, weights
        self._fused = {each.last: each for each in fused}
        self._suffix = edit.free_suffix("int8")
        self._written: dict[str, EightBits] = {}
        # those that hand on floats, as somebody reads them so; no rounding is then lost between
        self._wide = {each.last for each in fused if self._is_wide(each)}

    def write(self) -> list[Moved]:
        """Replace every layer, and widen its result for those who read it as floats; the layers that give floats."""
        moved = []
        for fused in self._fused.values():
            if fused.last not in self._wide:
                self._eight_bits(fused.last)
        for fused in self._fused.values():
            if fused.last in self._wide:
                moved.append(Moved(fused.last, self._widely(fused)))
            else:
                stored = self._eight_bits(fused.last)
                self._edit.replace(fused.last, "Dequantize", stored.outputs, T=stored.kind, mode="SCALED")
        return moved

    def _is_wide(self, fused: Fused) -> bool:
        if not fused.is_product or not can_multiply():
            return False
        if fused.layer.node.op == "Conv2D" and None in self._edit.shape(fused.last)[1:]:
            return False  # the product's rows would not fold back into a picture
        if fused.addend:
            return True
        if fused.activation:
            return not self._is_read_in_8_bits(fused.last)
        reading = sum(1 for each in self._fused.values() for read in (each.source, each.summand) if read == fused.last)
        return reading < len(self._edit.readers[fused.last]) or fused.last in self._edit.ends

    def _is_read_in_8_bits(self, tensor: str) -> bool:
        """By a layer, also behind pools and concatenations."""
        if any(tensor in (each.source, each.summand) for each in self._fused.values()):
            return True
        carrying = (reader for reader in self._edit.readers[tensor] if reader.op in operations.CARRYING)
        return any(self._is_read_in_8_bits(reader.name) for reader in carrying)

    def _type_of(self, tensor: str) -> Any:
        """Unsigned where no value is negative, which takes half as wide steps."""
        if tensor in self._fused and tensor not in self._wide:
            return tf.quint8 if self._fused[tensor].activation else tf.qint8
        passed = self._passed_through(tensor)
        if passed:
            return self._type_of(passed[0])
        return tf.quint8 if self._ranges[tensor].low >= 0 else tf.qint8

    def _name(self, tensor: str) -> str:
        return f"{tensor.replace(':', '_')}/{self._suffix}"

    def _passed_through(self, tensor: str) -> list[str]:
        """What a pool or a concatenation reads, where all of that is there in 8 bits of one type."""
        node = self._edit.nodes.get(tensor)
        if node is None or node.op not in operations.CARRYING:
            return []
        read = [str(name) for name in (node.input[:-1] if node.op == "ConcatV2" else node.input[:1])]
        narrow = self._fused.keys() - self._wide
        signs = {self._fused[name].activation is None if name in narrow else None for name in read}
        return read if len(signs) == 1 and None not in signs else []

    def _eight_bits(self, tensor: str) -> EightBits:
        """The 8-bit form of a tensor, written now if it is not there yet."""
        if tensor not in self._written:
            self._written[tensor] = self._made(tensor)
        return self._written[tensor]

    def _made(self, tensor: str) -> EightBits:
        name = self._name(tensor)
        if tensor in self._fused and tensor not in self._wide:
            return self._narrowly(self._fused[tensor])
        passed = self._passed_through(tensor)
        if passed:
            return operations.carried(self._edit, name, tensor, [self._eight_bits(each) for each in passed])
        kind, largest = self._type_of(tensor), self._ranges[tensor].largest
        return operations.quantized(self._edit, name, tensor, kind, largest)

    def _narrowly(self, fused: Fused) -> EightBits:
        """A layer whose result stays in 8 bits."""
        name, source, kind = self._name(fused.last), self._eight_bits(fused.source), self._type_of(fused.last)
        constants = self._constants(name, fused)
        if fused.layer.node.op == "MatMul":
            return operations.product(self._edit, name, fused, source, constants, kind, self._span(fused))
        if fused.depthwise:
            return operations.depthwise(self._edit, name, fused, source, constants, kind, self._span(fused))
        summand = self._eight_bits(fused.summand) if fused.summand else None
        return operations.convolution(self._edit, name, fused, source, constants, kind, self._span(fused), summand)

    def _widely(self, fused: Fused) -> str:
        """A layer that gives floats, under the name by which they are read; the constant of its bias."""
        name, source = self._name(fused.last), self._eight_bits(fused.source)
        constants = self._constants(name, fused)
        floats = operations.wide_product(self._edit, name, fused, source, constants)
        if fused.layer.node.op == "MatMul":
            self._edit.replace(fused.last, "Identity", [floats], T=tf.float32)
            return constants[1]
        sizes = self._edit.shape(fused.last).as_list()[1:]
        shape = self._edit.add_constant(f"{name}/shape", np.array([-1, *sizes], np.int32))
        self._edit.replace(fused.last, "Reshape", [floats, shape], T=tf.float32, Tshape=tf.int32)
        return constants[1]

    def _span(self, fused: Fused) -> tuple[float, float]:
        largest = self._ranges[fused.last].largest
        if fused.summand and self._type_of(fused.summand) == tf.qint8:
            return 0.0, 2 * largest  # oneDNN adds to signed values in place, and cuts off at 127 of 255 steps
        if fused.activation == "Relu6":
            return 0.0, min(largest, 6.0)
        return (0.0 if fused.activation else -largest), largest

    def _constants(self, name: str, fused: Fused) -> list[str]:
        """Weights in 8 bits, the bias, and the range of each channel's weights."""
        layer, values = fused.layer, self._edit.constant(fused.layer.weights)
        if layer.node.name not in self._weights:
            self._weights[layer.node.name] = layer.quantized(values)
        stored, scales = self._weights[layer.node.name]
        largest = scales.reshape(-1) * np.float32(127)
        bias = (self._bias(fused) - self._offset(fused, stored * scales - values)).astype(np.float32)
        if fused.is_product and (fused.last in self._wide or layer.node.op == "MatMul"):
            stored = stored.reshape(layer.shape[-2:])
            stored = stored.T if layer.transposed else stored
        kept = {"bias": bias, "smallest": -largest, "largest": largest}
        weights = self._edit.add_constant(f"{name}/weights", stored, tf.qint8)
        return [weights, *(self._edit.add_constant(f"{name}/{key}", value) for key, value in kept.items())]

    def _bias(self, fused: Fused) -> Any:
        return 0.0 if fused.bias is None else self._edit.constant(fused.bias)

    def _offset(self, fused: Fused, errors: Any) -> Any:
        """How far the rounding of the weights moves each channel on average, which the bias can take back."""
        means = self._ranges[fused.source].means
        if fused.layer.node.op == "MatMul":
            return means @ (errors.T if fused.layer.transposed else errors)
        subscripts = "hwcm,c->cm" if fused.depthwise else "hwio,i->o"
        return np.einsum(subscripts, errors, means).reshape(-1)
