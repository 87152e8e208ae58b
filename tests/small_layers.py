"""Layers to convert to 8 bits, and how close that comes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from small_graphs import operations

from converters.int8.fusing import can_multiply

RNG = np.random.default_rng(2)
ROWS = RNG.normal(size=(32, 16, 16, 8)).astype(np.float32)
CONVOLUTION = "QuantizedConv2DWithBias"
DEPTHWISE = "_FusedQuantizedDepthwiseConv2D"
# TensorFlow 2.14 has no 8-bit matrix product, and narrows the result of such layers
PRODUCT = "_QuantizedMatMul" if can_multiply() else f"{CONVOLUTION}AndRequantize"


def weights(*shape):
    return (RNG.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)


def convolution(x, channels=8, size=3, stride=1):
    bias = tf.constant(RNG.normal(size=channels).astype(np.float32) / 5)
    return tf.nn.bias_add(tf.nn.conv2d(x, weights(size, size, x.shape[-1], channels), stride, "SAME"), bias)


def relu(x, **arguments):
    return tf.nn.relu(convolution(x, **arguments))


def eight_bits(graph):
    return {op: count for op, count in operations(graph).items() if "Quantize" in op}


def noise(got, wanted):
    """The error's size against the answers' own spread."""
    return np.sqrt(np.mean((got - wanted) ** 2)) / wanted.std()
