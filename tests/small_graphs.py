"""Graphs of a few operations, made for one test: written, taken through a pass, asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from converters import graphs, registry

v1 = tf.compat.v1


def graph_of(build: Callable[[Any], Any], fed: np.ndarray) -> graphs.Graph:
    """The frozen graph of a function, which is fed arrays such as this one through ``x`` and answers in ``y``."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(fed.dtype, [None, *fed.shape[1:]], "x")
        tf.identity(build(x), "y")
    graph_def = graph.as_graph_def()
    return graphs.Graph(graph_def, graphs.DEFAULT_KEY, graphs.signature_of(graph_def, ["x:0"], ["y:0"]))


def after(name: str, graph: graphs.Graph, folder: Path, **params: Any) -> graphs.Graph:
    """The graph once a pass has been over it."""
    graphs.write(graph, folder / f"before_{name}")
    registry.find(name)(folder / f"before_{name}", folder / name, **params)
    return graphs.read(folder / name)


def answer(graph: graphs.Graph, fed: np.ndarray) -> Any:
    """What the graph gives for an array."""
    with v1.Session(graph=graphs.imported(graph.graph_def)) as session:
        return session.run(graph.output_tensors[0], {"x:0": fed})


def operations(graph: graphs.Graph) -> Counter[str]:
    """How many operations of which type there are."""
    return Counter(node.op for node in graph.graph_def.node)


def convolved(x):
    """One convolution of pictures."""
    return tf.nn.conv2d(x, np.ones((3, 3, 3, 2), np.float32), 1, "SAME")


def any_size(build=convolved, dtype=tf.float32):
    """A graph of x and y for pictures of any size."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(dtype, [None, None, None, 3], "x")
        tf.identity(build(x), "y")
    graph_def = graph.as_graph_def()
    return graphs.Graph(graph_def, graphs.DEFAULT_KEY, graphs.signature_of(graph_def, ["x:0"], ["y:0"]))


def resized(x):
    """The same, brought to one size before."""
    return convolved(tf.image.resize(tf.cast(x, tf.float32), (8, 8)))
