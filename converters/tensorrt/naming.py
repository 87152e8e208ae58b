"""Engines are found by name in the whole process: two versions with engines of one name would answer for each other."""

from __future__ import annotations

from typing import Any, Final

from converters import graphs
from converters.tensorrt.segments import ENGINE

_RESOURCE: Final = "resource_name"


def rename_engines(graph_def: Any, suffix: str) -> None:
    """End the names of all engines, and those of what holds them, in ``suffix``, in place."""
    names = {node.name: f"{node.name}_{suffix}" for node in graphs.nodes(graph_def) if node.op == ENGINE}
    for node in graphs.nodes(graph_def):
        node.name = names.get(node.name, node.name)
        node.input[:] = [_renamed(each, names) for each in node.input]
        if _RESOURCE in node.attr:
            held = node.attr[_RESOURCE].s.decode()
            node.attr[_RESOURCE].s = names.get(held, held).encode()
    for function in graph_def.library.function:
        for results in (function.ret, function.control_ret):
            for key, value in list(results.items()):
                results[key] = _renamed(value, names)


def _renamed(tensor: str, names: dict[str, str]) -> str:
    control = "^" if tensor.startswith("^") else ""
    name, colon, place = tensor[len(control) :].partition(":")
    return f"{control}{names.get(name, name)}{colon}{place}"
