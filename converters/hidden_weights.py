"""Graphs without the weights that a rewrite does not read: it is quick, and copies of the graph are small."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any, Final

from converters import graphs
from converters.sources import rewiring

_LEAST: Final = 1 << 14  # bytes
_CONTENT: Final = "_content"


def hidden(graph_def: Any) -> Any:
    """A copy with placeholders for large constants of which nothing can be computed ahead.

    Those of one value have one attribute in common, so that they still count as duplicates.
    """
    light = graphs.emptied(graph_def)
    names = _only_read_with_inputs(graph_def)
    for node in graph_def.node:
        if node.name not in names:
            light.node.append(node)
            continue
        tensor = node.attr["value"].tensor
        stand_in = light.node.add(name=node.name, op="Placeholder")
        stand_in.attr["dtype"].type = tensor.dtype
        stand_in.attr["shape"].shape.CopyFrom(tensor.tensor_shape)
        stand_in.attr[_CONTENT].s = hashlib.sha256(tensor.tensor_content).hexdigest().encode()
    return light


def restored(light: Any, graph_def: Any) -> Any:
    """A rewritten copy with what it still has of the hidden constants, in place."""
    nodes = {node.name: node for node in graph_def.node}
    for node in light.node:
        if is_hidden(node):
            node.CopyFrom(nodes[node.name])
    return light


def is_hidden(node: Any) -> bool:
    """Whether an operation stands for a hidden constant."""
    return node.op == "Placeholder" and _CONTENT in node.attr


def _only_read_with_inputs(graph_def: Any) -> set[str]:
    varying = rewiring.varying(graph_def)
    readers: dict[str, list[str]] = defaultdict(list)
    for node in graph_def.node:
        for name in node.input:
            readers[graphs.node_name(name)].append(node.name)
    large = [node.name for node in graph_def.node if node.op == "Const" and not node.input and _is_large(node)]
    return {name for name in large if varying.issuperset(readers[name])}


def _is_large(node: Any) -> bool:
    return len(node.attr["value"].tensor.tensor_content) > _LEAST
