"""Attributes that have their default value take room in the file and are filled in again when it is loaded."""

from __future__ import annotations

from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.python.framework.meta_graph import strip_graph_default_valued_attrs

from converters.graphs import Graph
from converters.registry import on_graphs, register


@register("strip_default_attributes")
@on_graphs
def strip_default_attributes(graph: Graph) -> Graph:
    """Drop every attribute that has its default value."""
    meta = MetaGraphDef(graph_def=graph.graph_def)
    strip_graph_default_valued_attrs(meta)
    return graph.with_graph(meta.graph_def)
