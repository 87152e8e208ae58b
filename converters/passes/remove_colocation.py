"""Graph Transform Tool's own output names operations that it removed as neighbours, and then does not load."""

from __future__ import annotations

from converters.graphs import Graph
from converters.registry import on_graphs, register


@register("remove_colocation")
@on_graphs
def remove_colocation(graph: Graph) -> Graph:
    """Drop the wishes to share a device with another operation, which a servable does not need."""
    for node in graph.graph_def.node:
        node.attr.pop("_class", None)
    return graph
