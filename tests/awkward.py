"""Graphs that are awkward in practice, each small: written to a folder, with what a build has to be told of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
ROWS = 8


@dataclass(frozen=True)
class Awkward:
    """A model on disk.

    Attributes:
        choices: what models.yaml says of its source.
        examples: what it can be asked, row by row, by input name; None where pictures fit.
    """

    path: Path
    choices: Mapping[str, Any] = field(default_factory=dict)
    examples: Mapping[str, Any] | None = None


def weights(*shape: int) -> Any:
    """Those of a layer, always the same."""
    draw = np.random.default_rng(4)
    return (draw.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)


def numbers(*shape: int) -> Any:
    """Rows of examples."""
    return np.random.default_rng(6).normal(size=(ROWS, *shape)).astype(np.float32)


def network(x: Any) -> Any:
    """Two convolutions over pictures of three colours, then a perceptron of two classes."""
    x = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 3, 16), 2, "SAME"))
    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, weights(3, 3, 16, 16), 2, "SAME"), np.full(16, 0.1, np.float32)))
    return tf.nn.softmax(tf.reduce_mean(x, (1, 2)) @ weights(16, 2))


def frozen(folder: Path, build: Callable[[], Any]) -> Path:
    with tf.Graph().as_default() as graph:
        build()
    (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "graph.pb"


def several_inputs_without_a_batch(folder: Path) -> Awkward:
    """One picture, and two numbers that it is scaled and moved by."""

    def build() -> None:
        picture = v1.placeholder(tf.float32, [16, 16, 3], "picture")
        scale, shift = (v1.placeholder(tf.float32, [], name) for name in ("scale", "shift"))
        tf.identity(network((picture * scale + shift)[None])[0], "y")

    inputs = {"picture": numbers(16, 16, 3), "scale": np.float32(numbers()), "shift": np.float32(numbers())}
    return Awkward(frozen(folder, build), examples=inputs)


def training_switches(folder: Path) -> Awkward:
    """Dropout behind a placeholder, batch norm behind one with a default, in TensorFlow 1's own control flow."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 16, 16, 3], "x")
        training = v1.placeholder_with_default(False, [], "training")
        keep = v1.placeholder(tf.float32, [], "keep")
        y = v1.nn.dropout(network(x), rate=1 - keep, seed=1)
        tf.identity(v1.cond(training, lambda: y * 0.0, lambda: y * 1.5), "y")

    with v1.Graph().as_default():
        v1.disable_control_flow_v2()
    try:
        path = frozen(folder, build)
    finally:
        v1.enable_control_flow_v2()
    return Awkward(path, {"set": {"keep": 1.0}, "outputs": ["y"]}, {"x": numbers(16, 16, 3)})


def iterator_in_front(folder: Path) -> Awkward:
    """A pipeline hands over pictures and their numbers."""

    def build() -> None:
        data = tf.data.Dataset.from_tensors((np.zeros((16, 16, 3), np.float32), [3])).batch(1)
        picture, number = v1.data.make_one_shot_iterator(data).get_next()
        tf.add(network(picture), tf.cast(number, tf.float32), name="y")

    choices = {"inputs": ["IteratorGetNext:0", "IteratorGetNext:1"], "outputs": ["y"]}
    examples = {"IteratorGetNext": numbers(16, 16, 3), "IteratorGetNext_1": np.ones((ROWS, 1), np.int32)}
    return Awkward(frozen(folder, build), choices, examples)


def half_inputs(folder: Path) -> Awkward:
    """Half precision from end to end."""

    def build() -> None:
        x = v1.placeholder(tf.float16, [None, 16, 16, 3], "x")
        maps = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 3, 16).astype(np.float16), 2, "SAME"))
        flat = tf.reduce_mean(maps, (1, 2))
        tf.matmul(flat, weights(16, 128).astype(np.float16), name="y")

    return Awkward(frozen(folder, build), examples={"x": numbers(16, 16, 3).astype(np.float16)})


def half_weights(folder: Path) -> Awkward:
    """Stored in half precision to save room, widened for the arithmetic."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 16, 16, 3], "x")
        kernel = tf.cast(tf.constant(weights(3, 3, 3, 64).astype(np.float16)), tf.float32)
        tf.nn.softmax(tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME")), (1, 2)), name="y")

    return Awkward(frozen(folder, build), examples={"x": numbers(16, 16, 3)})


def old_names(folder: Path) -> Awkward:
    """Operations that later ones have taken the place of, in a graph that says it is old."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
        tf.identity(tf.nn.conv2d(x, weights(3, 3, 3, 16), 1, "SAME"), "maps")
        tf.constant(np.arange(4, dtype=np.int32)[::-1].copy(), name="order")
        for name, value in (("mean", 0.1), ("variance", 2.0), ("beta", 0.5), ("gamma", 1.5)):
            tf.constant([value] * 16, name=name)

    path = frozen(folder, build)
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    norm = graph_def.node.add(name="norm", op="BatchNormWithGlobalNormalization")
    norm.input.extend(["maps", "mean", "variance", "beta", "gamma"])
    norm.attr["T"].type = tf.float32.as_datatype_enum
    norm.attr["variance_epsilon"].f = 0.001
    norm.attr["scale_after_normalization"].b = True
    gather = graph_def.node.add(name="y", op="Gather")
    gather.input.extend(["norm", "row"])
    gather.attr["Tparams"].type = tf.float32.as_datatype_enum
    gather.attr["Tindices"].type = tf.int32.as_datatype_enum
    row = graph_def.node.add(name="row", op="Const")
    row.attr["dtype"].type = tf.int32.as_datatype_enum
    row.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([0], tf.int32))
    graph_def.versions.producer = 8
    path.write_bytes(graph_def.SerializeToString())
    return Awkward(path, {"outputs": ["y"]}, {"x": numbers(8, 8, 3)})


def first_control_flow(folder: Path) -> Awkward:
    """A while loop of TensorFlow 1 with a convolution inside, as recurrent detectors have."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
        kernel = weights(3, 3, 3, 3)
        _, maps = v1.while_loop(
            lambda i, _: i < 3, lambda i, maps: (i + 1, tf.nn.relu(tf.nn.conv2d(maps, kernel, 1, "SAME"))), [0, x]
        )
        tf.identity(network(maps), "y")

    v1.disable_control_flow_v2()
    try:
        path = frozen(folder, build)
    finally:
        v1.enable_control_flow_v2()
    return Awkward(path, {"outputs": ["y"]}, {"x": numbers(8, 8, 3)})


def one_picture(folder: Path) -> Awkward:
    """Pixels of 8 bits, of one picture of any size, without a batch."""

    def build() -> None:
        pixels = v1.placeholder(tf.uint8, [None, None, 3], "picture")
        tf.identity(network(tf.image.resize(pixels[None], (24, 24)) / 127.5 - 1.0)[0], "y")

    return Awkward(frozen(folder, build))


def echo(folder: Path) -> Awkward:
    """Numbers that come back as they went in."""

    def build() -> None:
        tf.identity(v1.placeholder(tf.int32, [None], "x"), "y")

    return Awkward(frozen(folder, build), examples={"x": np.arange(ROWS, dtype=np.int32)})


MODELS: Mapping[str, Callable[[Path], Awkward]] = {
    each.__name__: each
    for each in (
        several_inputs_without_a_batch,
        training_switches,
        iterator_in_front,
        half_inputs,
        half_weights,
        old_names,
        first_control_flow,
        one_picture,
        echo,
    )
}
