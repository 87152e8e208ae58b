"""What is in a model: its signatures, or the tensors a frozen graph could be fed and asked through."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from converters import graphs, sources
from model_config.models import Model


def inspect(path: Path) -> dict[str, Any]:
    """Format, signatures or candidate inputs and outputs, and operations by type, most frequent first."""
    source = sources.locate(Model(name="inspected", source=path))
    ends: dict[str, Any]
    if source.format == "frozen_graph":
        graph_def = sources.read_graph_def(path)
        ends = {"inputs": sources.placeholders(graph_def), "outputs": sources.sinks(graph_def)}
    else:
        graph_def = graphs.meta_graph(path).graph_def
        ends = {"signatures": {key: value.model_dump() for key, value in graphs.signatures(path).items()}}
    return {"path": str(path), "format": source.format, **ends, "operations": _operations(graph_def)}


def _operations(graph_def: Any) -> dict[str, int]:
    nodes = [node.op for node in graph_def.node]
    inside = [node.op for function in graph_def.library.function for node in function.node_def]
    return dict(Counter(nodes + inside).most_common())
