"""The Graph Transform Tool trips over control inputs, most of which only wait for assertions."""

from __future__ import annotations

from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.registry import on_graphs, register


@register("remove_control_inputs")
@on_graphs
def remove_control_inputs(graph: Graph) -> Graph:
    """Drop inputs that only order operations, but for those that hold constants inside loops and branches."""
    edit = Edit(graph)
    for node in edit.graph_def.node:
        data = [name for name in node.input if not name.startswith("^")]
        if data:  # which say as well which loop and which branch the operation belongs to
            node.input[:] = data
    return edit.done()
