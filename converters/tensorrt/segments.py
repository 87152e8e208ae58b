"""What TensorRT took of a graph and what it left: operations by type, with its reasons, and the share of the work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from converters import arithmetic, graphs
from model_config.manifest import Engine, Outside

ENGINE: Final = "TRTEngineOp"

# operations that compute nothing, and the ends of the graph, which nobody misses in an engine
_SILENT: Final = frozenset({"Const", "Placeholder", "Identity", "NoOp"})
_ENDS: Final = frozenset({"Const", "_Arg", "_Retval"})
_TYPE: Final = re.compile(r"^\s*- (?P<type>\w+) -> (?P<count>\d+)x\s*$")
_REASON: Final = re.compile(r"^\s*- \[Count: *(?P<count>\d+)x?\] (?P<reason>.+?)\s*$")


@dataclass(frozen=True)
class Segments:
    """A converted graph in figures.

    Attributes:
        outside: operations that stay in TensorFlow, by type.
        inside_share: the engines' part of the arithmetic, from 0 to 1.
        calibration_batches: how many INT8's ranges were learnt from.
    """

    engines: tuple[Engine, ...]
    outside: Mapping[str, int]
    inside_share: float
    calibration_batches: int = 0


def described(target: Path) -> Path:
    """Where it is said what became of the graph that ``target`` was made from."""
    return target.with_name("tensorrt-segments.json")


def describe(converted: Any, shapes: Mapping[str, tuple[int, ...]]) -> Segments:
    """What became of a graph.

    Args:
        converted: a GraphDef, as TF-TRT made it.
        shapes: of what is fed, by the name of its placeholder.
    """
    left = Counter(node.op for node in converted.node if node.op != ENGINE and node.op not in _SILENT)
    return Segments(tuple(_engines(converted)), dict(left.most_common()), _share(converted, shapes))


def with_reasons(outside: Mapping[str, int], log: str) -> tuple[Outside, ...]:
    """What stays in TensorFlow, most frequent first, with the reasons that TF-TRT logged."""
    known = reasons(log)
    return tuple(Outside(operation=op, count=n, reasons=tuple(known.get(op, ()))) for op, n in outside.items())


def reasons(log: str) -> dict[str, list[str]]:
    """Why operations stay outside, by type, from the report that TF_TRT_SHOW_DETAILED_REPORT makes TF-TRT log."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in log.splitlines():
        if start := _TYPE.match(line):
            current = found.setdefault(start["type"], [])
        elif (reason := _REASON.match(line)) and current is not None and reason["reason"] not in current:
            current.append(reason["reason"])
    return found


def engine_nodes(graph_def: Any) -> Iterator[Any]:
    """The engines of a graph, those in its functions included."""
    return (node for node in graphs.nodes(graph_def) if node.op == ENGINE)


def _engines(graph_def: Any) -> Iterator[Engine]:
    functions = {function.signature.name: function for function in graph_def.library.function}
    for node in engine_nodes(graph_def):
        inside = functions[node.attr["segment_func"].func.name].node_def
        yield Engine(
            name=node.name,
            precision=node.attr["precision_mode"].s.decode().upper(),
            operations=dict(sorted(_counted(inside).items())),
        )


def _counted(nodes: Iterable[Any]) -> Counter[str]:
    return Counter(node.op for node in nodes if node.op not in _ENDS)


def _share(converted: Any, shapes: Mapping[str, tuple[int, ...]]) -> float:
    work = arithmetic.flops(converted, shapes)
    total = sum(work.values())
    names = [f"/{node.name}/" for node in engine_nodes(converted)]
    inside = sum(count for name, count in work.items() if any(each in f"/{name}" for each in names))
    return inside / total if total else 0.0
