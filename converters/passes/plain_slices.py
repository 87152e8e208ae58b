"""Ways to take a tensor apart that TensorRT does not know, said in operations that it knows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import tensorflow as tf

from converters.graph_edits import Edit, attribute
from converters.graphs import Graph, node_name
from converters.registry import on_graphs, register
from converters.remarks import remark

_MASKS: Final = ("begin_mask", "end_mask")


@register("plain_slices")
@on_graphs
def plain_slices(graph: Graph) -> Graph:
    """Say in slices and reshapes what unpacks tensors along a known axis, or only gives them another one."""
    edit = Edit(graph)
    unpacked = [node.name for node in graph.graph_def.node if node.op == "Unpack" and _unpack(edit, node.name)]
    widened = [node.name for node in graph.graph_def.node if node.op == "StridedSlice" and _widen(edit, node.name)]
    if unpacked or widened:
        remark(f"{len(unpacked)} operations that unpack and {len(widened)} that add an axis are said in others")
    return edit.done()


def _unpack(edit: Edit, name: str) -> bool:
    """One slice for each output; the first axis, which is the batch, is never taken apart."""
    node = edit.nodes[name]
    shape = edit.shape(node.input[0])
    if shape.rank is None or None in shape.as_list()[1:] or name in edit.ends:
        return False
    axis = attribute(node, "axis", 0).i % shape.rank
    if axis == 0:
        return False
    parts = [_part(edit, node, shape, axis, place) for place in range(node.attr["num"].i)]
    for reader in edit.readers[name]:
        reader.input[:] = [
            parts[int(tensor.partition(":")[2] or 0)] if node_name(tensor) == name else tensor
            for tensor in reader.input
        ]
    return True


def _part(edit: Edit, node: Any, shape: Any, axis: int, place: int) -> str:
    begin, size = [0] * shape.rank, [-1] * shape.rank
    begin[axis], size[axis] = place, 1
    named = f"{node.name}/part_{place}"
    kind = tf.as_dtype(node.attr["T"].type)
    ends = [
        edit.add_constant(f"{named}/{word}", np.array(each, np.int32))
        for word, each in (("begin", begin), ("size", size))
    ]
    sliced = edit.add("Slice", f"{named}/slice", [node.input[0], *ends], T=kind, Index=tf.int32)
    target = [-1, *(each for where, each in enumerate(shape.as_list()) if where not in (0, axis))]
    wanted = edit.add_constant(f"{named}/shape", np.array(target, np.int32))
    return edit.add("Reshape", named, [sliced, wanted], T=kind, Tshape=tf.int32)


def _widen(edit: Edit, name: str) -> bool:
    """A slice that takes all there is and adds one axis is ExpandDims."""
    node = edit.nodes[name]
    shape, spec = edit.shape(node.input[0]), edit.constant(node.input[1])
    added = attribute(node, "new_axis_mask", 0).i
    if shape.rank is None or spec is None or not added or added & (added - 1):
        return False
    axis = added.bit_length() - 1
    others = [place for place in range(len(spec)) if place != axis]
    whole = all((attribute(node, mask, 0).i >> place) & 1 for mask in _MASKS for place in others)
    steps = edit.constant(node.input[3])
    plain = not attribute(node, "shrink_axis_mask", 0).i and steps is not None and (steps == 1).all()
    ellipsis = attribute(node, "ellipsis_mask", 0).i
    if not (whole and plain) or ellipsis:
        return False
    kind = tf.as_dtype(node.attr["T"].type)
    where = edit.add_constant(f"{name}/axis", np.array(axis, np.int32))
    edit.replace(name, "ExpandDims", [node.input[0], where], T=kind, Tdim=tf.int32)
    return True
