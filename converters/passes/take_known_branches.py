"""Networks that were trained by TensorFlow 1 hold both ways of every batch norm and dropout; a servable needs one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converters.graph_edits import Edit
from converters.graphs import Graph, node_name
from converters.registry import on_graphs, register

_VALUE_INDEX = ":1"  # a Merge's second output, which says where its value came from


@register("take_known_branches")
@on_graphs
def take_known_branches(graph: Graph) -> Graph:
    """Leave of every branch whose condition is a constant, such as phase_train, the way that is taken."""
    edit = Edit(graph)
    while _take(edit):
        edit.again()  # what is inside a branch may only be known once that has been taken
    return edit.done()


def _take(edit: Edit) -> bool:
    """Take the branches whose way is known by now; whether there were any."""
    taken = _taken(edit)
    dead = _dead(edit, taken)
    for name in taken:
        _pass_on(edit, name)
    merged = [node for node in edit.graph_def.node if node.op == "Merge" and _join(edit, node, dead)]
    _free_constants(edit)
    return bool(taken or merged)


def _taken(edit: Edit) -> Mapping[str, bool]:
    """The Switch operations whose way is known, and which it is."""
    switches = [node for node in edit.graph_def.node if node.op == "Switch" and node.name not in edit.ends]
    values = {node.name: edit.constant(node.input[1]) for node in switches}
    return {name: bool(value) for name, value in values.items() if value is not None}


def _dead(edit: Edit, taken: Mapping[str, bool]) -> set[str]:
    """The tensors and operations that never get a value."""
    dead = {name if way else f"{name}:1" for name, way in taken.items()}
    todo = [reader for name in taken for reader in edit.readers[name]]
    while todo:
        node = todo.pop()
        # a Switch that is taken lives although one of its outputs is called as it is
        if node.name in dead or node.name in taken or not _is_dead(edit, node, dead):
            continue
        outputs = {name for reader in edit.readers[node.name] for name in reader.input if node_name(name) == node.name}
        dead |= {node.name, f"^{node.name}", *outputs}
        todo += edit.readers[node.name]
    return dead


def _is_dead(edit: Edit, node: Any, dead: set[str]) -> bool:
    data = [name for name in node.input if not name.startswith("^")]
    if node.op == "Merge":  # which lives from any input, but not from the end of its own loop
        data = [name for name in data if edit.nodes[node_name(name)].op != "NextIteration"]
        return all(name in dead for name in data)
    return any(name in dead for name in node.input)


def _pass_on(edit: Edit, name: str) -> None:
    """Make of a Switch what gives its value to the one way that is taken."""
    node = edit.nodes[name]
    data, _, *controls = node.input
    for reader in edit.readers[name]:
        reader.input[:] = [name if each == f"{name}:1" else each for each in reader.input]
    edit.replace(name, "Identity", [data, *controls], T=node.attr["T"])


def _join(edit: Edit, node: Any, dead: set[str]) -> bool:
    """Make of a Merge with one way left what gives the value of that; says whether it has been done."""
    data = [name for name in node.input if not name.startswith("^")]
    living = [place for place, name in enumerate(data) if name not in dead]
    if len(living) != 1 or len(data) == 1 or node.name in edit.ends:
        return False
    index = f"{node.name}{_VALUE_INDEX}"
    readers = [reader for reader in edit.readers[node.name] if index in reader.input]
    if readers:
        known = edit.add_constant(f"{node.name}/value_index", living[0])
        for reader in readers:
            reader.input[:] = [known if name == index else name for name in reader.input]
    # the name that a Switch's living side has now
    value = data[living[0]]
    value = node_name(value) if edit.nodes[node_name(value)].op == "Identity" else value
    edit.replace(node.name, "Identity", [value], T=node.attr["T"])
    return True


def _free_constants(edit: Edit) -> None:
    """Nothing holds a constant in a branch whose condition is one."""
    for node in edit.graph_def.node:
        if node.op == "Const" and node.input:
            node.input[:] = [name for name in node.input if edit.constant_node(node_name(name)) is None]
