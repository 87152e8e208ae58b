"""What is in a model: its signatures, or the tensors a frozen graph could be fed and asked through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converters import graphs, sources
from model_config.models import Model

CANDIDATES = "candidates"


def inspect(path: Path) -> dict[str, Any]:
    """Format, signatures (of a frozen graph: what could be fed and fetched), and how often each operation stands."""
    source = sources.locate(Model(name="inspected", source=path))
    if source.format == "frozen_graph":
        graph_def = sources.read_graph_def(path)
        ends = graphs.signature_of(graph_def, sources.placeholders(graph_def), sources.sinks(graph_def))
        signatures = {CANDIDATES: graphs.plain(ends)}
    else:
        graph_def, signatures = graphs.meta_graph(path).graph_def, graphs.signatures(path)
    found = {key: signature.model_dump() for key, signature in signatures.items()}
    return {"path": str(path), "format": source.format, "signatures": found, "operations": _operations(graph_def)}


def ends(found: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Every input and output of what was found: signature, side, name, type, shape (``?`` for any size)."""
    for key, signature in found["signatures"].items():
        for side in ("inputs", "outputs"):
            for name, tensor in signature[side].items():
                yield key, side[:-1], name, tensor["dtype"], _shape(tensor["shape"])


def _shape(sizes: tuple[int | None, ...] | None) -> str:
    return "any rank" if sizes is None else f"[{', '.join('?' if size is None else str(size) for size in sizes)}]"


def _operations(graph_def: Any) -> dict[str, int]:
    nodes = [node.op for node in graph_def.node]
    inside = [node.op for function in graph_def.library.function for node in function.node_def]
    return dict(Counter(nodes + inside).most_common())
