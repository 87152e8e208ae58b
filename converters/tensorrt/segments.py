"""What TensorRT took of a graph and what it left: operations by type, with its reasons, and the share of the work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from converters import arithmetic, graphs
from converters.graphs import Graph
from model_config.manifest import Engine, Outside

ENGINE: Final = "TRTEngineOp"

# operations that compute nothing, and the ends of the graph, which nobody misses in an engine
_SILENT: Final = frozenset({"Const", "Placeholder", "Identity", "NoOp"})
_TYPE: Final = re.compile(r"^\s*- (?P<type>\w+) -> (?P<count>\d+)x\s*$")
_REASON: Final = re.compile(r"^\s*- \[Count: *(?P<count>\d+)x?\] (?P<reason>.+?)\s*$")


def engines(graph_def: Any) -> list[Engine]:
    """Every engine with what it computes, from a converted graph."""
    functions = {function.signature.name: function for function in graph_def.library.function}
    return [
        Engine(
            name=node.name,
            precision=node.attr["precision_mode"].s.decode().upper(),
            operations=dict(sorted(_counted(functions[node.attr["segment_func"].func.name].node_def).items())),
        )
        for node in _engine_nodes(graph_def)
    ]


def _engine_nodes(graph_def: Any) -> Iterable[Any]:
    return (node for node in graphs.nodes(graph_def) if node.op == ENGINE)


def outside(graph_def: Any, log: str) -> list[Outside]:
    """What stays in TensorFlow, most frequent first, with the reasons that TF-TRT logged."""
    left = Counter(node.op for node in graph_def.node if node.op != ENGINE and node.op not in _SILENT)
    known = reasons(log)
    return [Outside(operation=op, count=count, reasons=tuple(known.get(op, ()))) for op, count in left.most_common()]


def reasons(log: str) -> dict[str, list[str]]:
    """Why operations stay outside, by type, from the report that TF_TRT_SHOW_DETAILED_REPORT makes TF-TRT log."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in log.splitlines():
        if start := _TYPE.match(line):
            current = found.setdefault(start["type"], [])
        elif (reason := _REASON.match(line)) and current is not None:
            if reason["reason"] not in current:
                current.append(reason["reason"])
        elif current is not None and not line.strip().startswith("-"):
            current = None
    return found


def share(graph: Graph, converted: Any, shapes: Mapping[str, tuple[int, ...]]) -> float:
    """Which part of the arithmetic happens inside engines, from 0 to 1.

    Args:
        graph: before the conversion, for the names of its inputs.
        converted: the graph with engines.
        shapes: of the inputs, by the signature's names.
    """
    fed = {graph.signature.inputs[name].name: shape for name, shape in shapes.items()}
    work = arithmetic.flops(converted, fed)
    within = tuple(f"{node.name}/" for node in _engine_nodes(converted))
    total = sum(work.values())
    inside = sum(count for name, count in work.items() if name.startswith(within)) if within else 0
    return inside / total if total else 0.0


def _counted(nodes: Iterable[Any]) -> Counter[str]:
    return Counter(node.op for node in nodes if node.op not in ("Const", "_Arg", "_Retval"))
