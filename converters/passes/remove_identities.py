"""Identity operations hide constants from other passes; the Graph Transform Tool takes out too many of them."""

from __future__ import annotations

from typing import Any

from converters.graph_edits import Edit
from converters.graphs import Graph
from converters.registry import on_graphs, register


@register("remove_identities")
@on_graphs
def remove_identities(graph: Graph) -> Graph:
    """Take out Identity operations, but for those that tell constants which branch or loop they belong to."""
    edit = Edit(graph)
    through = {node.name: node.input[0] for node in edit.graph_def.node if _is_idle(edit, node)}
    for node in edit.graph_def.node:
        node.input[:] = [_origin(name, through) for name in node.input]
    return edit.done()


def _is_idle(edit: Edit, node: Any) -> bool:
    held = any(f"^{node.name}" in reader.input for reader in edit.readers[node.name])
    return node.op == "Identity" and len(node.input) == 1 and node.name not in edit.ends and not held


def _origin(name: str, through: dict[str, str]) -> str:
    while name in through:
        name = through[name]
    return name
