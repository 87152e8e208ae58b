"""Operations that multiply by constant weights: where their output channels lie, in the weights and in the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graph_edits import Edit, attribute

OPERATIONS: Final = ("Conv2D", "DepthwiseConv2dNative", "MatMul")


@dataclass(frozen=True)
class Layer:
    """A convolution or matrix product with constant weights.

    Attributes:
        node: the operation.
        weights: the name of the Const it takes its weights from.
        shape: the weights' shape.
    """

    node: Any
    weights: str
    shape: tuple[int, ...]

    @property
    def channel_shape(self) -> tuple[int, ...]:
        """One number a channel in this shape multiplies the weights channel by channel."""
        if self.node.op == "DepthwiseConv2dNative":
            return self.shape[2:]  # every input channel has its own few output channels
        if self.transposed:
            return (self.shape[0], 1)
        return self.shape[-1:]

    @property
    def transposed(self) -> bool:
        """Whether a matrix holds its output channels as rows."""
        return bool(self.node.op == "MatMul" and attribute(self.node, "transpose_b").b)

    @property
    def channels(self) -> int:
        """How many output channels there are."""
        count = 1
        for size in self.channel_shape:
            count *= size
        return count

    @property
    def data_format(self) -> str:
        """NHWC or NCHW; what MatMul gives has its channels last, as in NHWC."""
        return data_format(self.node)

    def per_channel(self, value: Any) -> Any | None:
        """A constant that the output is combined with, as one number a channel; None where it is more than that."""
        rank = 2 if self.node.op == "MatMul" else 4
        axis = 1 if self.data_format == "NCHW" else rank - 1
        if value.ndim > rank:
            return None
        full = value.reshape((1,) * (rank - value.ndim) + value.shape)
        return full.reshape(-1) if full.size == 1 or full.shape[axis] == full.size == self.channels else None

    def quantized(self, weights: Any) -> tuple[Any, Any]:
        """Weights as integers from -127 to 127, and the factors that turn them back, one a channel."""
        sizes = (1,) * (weights.ndim - len(self.channel_shape)) + self.channel_shape
        axes = tuple(axis for axis, size in enumerate(sizes) if size == 1)
        largest = np.abs(weights).max(axes, keepdims=True)
        scales = np.where(largest > 0, largest, 1) / np.float32(127)
        # training for 8 bits leaves weights on steps of one width, and on these nothing is lost
        step = _step(weights)
        if step is not None:
            scales = np.where(_error(weights, step, axes) < _error(weights, scales, axes), step, scales)
        return _rounded(weights, scales).astype(np.int8), scales.reshape(self.channel_shape)


def _step(weights: Any) -> Any:
    """The narrowest gap between any two weights that differ by more than rounding; None where there is none."""
    gaps = np.diff(np.unique(weights))
    gaps = gaps[gaps > 1e-3 * np.abs(weights).max()]
    return gaps.min() if gaps.size else None


def _rounded(weights: Any, scales: Any) -> Any:
    return np.clip(np.rint(weights / scales), -127, 127)


def _error(weights: Any, scales: Any, axes: tuple[int, ...]) -> Any:
    return np.square(_rounded(weights, scales) * scales - weights).sum(axes, keepdims=True)


def data_format(node: Any) -> str:
    """NHWC or NCHW: whether an operation has its channels last."""
    return str(attribute(node, "data_format", "NHWC").s.decode())


def layers(edit: Edit) -> list[Layer]:
    """All layers of a graph whose weights are constant."""
    found = []
    for node in edit.graph_def.node:
        weights = edit.constant_node(node.input[1]) if node.op in OPERATIONS else None
        if weights is not None:
            shape = tuple(tf.TensorShape(weights.attr["value"].tensor.tensor_shape).as_list())
            found.append(Layer(node, weights.name, shape))
    return found
