"""Which operations run inside a loop or a branch, where a constant from outside may not stand in for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from converters import graphs

_INTO_LOOP: Final = frozenset({"Enter", "RefEnter"})
_OUT_OF_LOOP: Final = frozenset({"Exit", "RefExit"})
_BRANCH: Final = frozenset({"Switch", "RefSwitch"})
_JOIN: Final = frozenset({"Merge", "RefMerge"})
_BACK: Final = frozenset({"NextIteration", "RefNextIteration"})


def inside(graph_def: Any) -> set[str]:
    """The operations of TensorFlow 1's control flow that do not run once, and unconditionally, for every request."""
    nodes = {node.name: node for node in graph_def.node}
    readers: dict[str, list[str]] = defaultdict(list)
    for node in graph_def.node:
        for name in node.input:
            readers[graphs.node_name(name)].append(node.name)
    return {name for name, depth in _depths(nodes, readers).items() if depth > 0}


def _depths(nodes: Mapping[str, Any], readers: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """How many loops and branches each operation is in."""
    depths: dict[str, int] = {}
    todo = [(name, _step(node, nodes)) for name, node in nodes.items() if node.op in _INTO_LOOP | _BRANCH]
    while todo:
        name, depth = todo.pop()
        if depth <= depths.get(name, 0):
            continue
        depths[name] = depth
        if nodes[name].op not in _BACK:  # the only way back, without which there are no circles
            todo += [(reader, depth + _step(nodes[reader], nodes)) for reader in readers.get(name, ())]
    return depths


def _step(node: Any, nodes: Mapping[str, Any]) -> int:
    """How much deeper an operation is than what it reads."""
    read = {nodes[graphs.node_name(name)].op for name in node.input}
    if node.op in _INTO_LOOP:
        return 1
    if node.op in _OUT_OF_LOOP:
        return -1
    if node.op in _BRANCH:
        return 0 if "LoopCond" in read else 1  # a loop's own switch leads on in it, or to its exit
    return -1 if node.op in _JOIN and not read & _BACK else 0
