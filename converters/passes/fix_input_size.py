"""A graph for pictures of any size has layers of any size, which no engine can be built for."""

from __future__ import annotations

from typing import Any, Final

import tensorflow as tf

from converters.graph_edits import Edit
from converters.graphs import Graph, node_name
from converters.layers import OPERATIONS
from converters.registry import on_graphs, register
from converters.remarks import remark
from model_config.errors import BuildError

_RANK: Final = 4


@register("fix_input_size")
@on_graphs
def fix_input_size(graph: Graph, size: str = "") -> Graph:
    """Take pictures of one size only, where the graph does not bring them to one itself; others are refused.

    Args:
        graph: the signature stays as it is.
        size: height and width in pixels, such as ``640x640``; without it the graph stays as it is.
    """
    if not size:
        return graph
    height, width = _parsed(size)
    edit = Edit(graph)
    if not _open_layers(edit):
        return graph
    for info in graph.signature.inputs.values():
        shape = tf.TensorShape(info.tensor_shape)
        if shape.rank == _RANK and None in shape[1:3] and not _ensured(edit, info.name):
            _ensure(edit, info, shape.merge_with([None, height, width, None]))
            remark(f"{info.name} is taken in {height}x{width} pixels only")
    return edit.done()


def _parsed(size: str) -> tuple[int, int]:
    height, _, width = size.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise BuildError(f"a size of pictures is height x width in pixels, such as 640x640, not {size!r}")
    return int(height), int(width)


def _open_layers(edit: Edit) -> bool:
    """Whether any layer's size depends on the picture's."""
    shapes = (edit.shape(node.name) for node in edit.graph_def.node if node.op in OPERATIONS)
    return any(shape.rank == _RANK and not shape[1:].is_fully_defined() for shape in shapes)


def _ensured(edit: Edit, tensor: str) -> bool:
    return any(reader.op == "EnsureShape" for reader in edit.readers[node_name(tensor)])


def _ensure(edit: Edit, info: Any, shape: Any) -> None:
    name = node_name(info.name)
    readers = list(edit.readers[name])
    ensured = edit.add("EnsureShape", f"{name}/of_one_size", [name])
    edit.nodes[ensured].attr["T"].type = info.dtype
    edit.nodes[ensured].attr["shape"].shape.CopyFrom(shape.as_proto())
    for reader in readers:
        reader.input[:] = [ensured if each == name else each for each in reader.input]
