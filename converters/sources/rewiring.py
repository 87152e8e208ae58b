"""A bare graph made ready to be asked: values set, inputs cut free, everything else that answers left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import op_def_registry

from converters import graphs
from model_config.errors import BadSource

_PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault")


def ancestors(graph_def: Any, tensors: Iterable[str]) -> set[str]:
    """The operations that these tensors are computed from, themselves included."""
    return reached(reads(graph_def), tensors)


def reads(graph_def: Any) -> dict[str, list[str]]:
    """The operations that each operation reads."""
    return {node.name: [graphs.node_name(name) for name in node.input] for node in graph_def.node}


def descendants(graph_def: Any, tensors: Iterable[str]) -> set[str]:
    """The operations that are computed from these tensors, their own included."""
    read_by: dict[str, list[str]] = defaultdict(list)
    for node in graph_def.node:
        for name in node.input:
            read_by[graphs.node_name(name)].append(node.name)
    return reached(read_by, tensors)


def varying(graph_def: Any) -> set[str]:
    """The operations whose values cannot be computed ahead, as they depend on more than constants."""
    return descendants(graph_def, (node.name for node in graph_def.node if _is_source(node)))


def _is_source(node: Any) -> bool:
    known = op_def_registry.get(node.op)
    return (not node.input and node.op != "Const") or known is None or known.is_stateful


def reached(neighbours: Mapping[str, list[str]], tensors: Iterable[str]) -> set[str]:
    """The operations of these tensors, their neighbours, and theirs."""
    found: set[str] = set()
    todo = [graphs.node_name(tensor) for tensor in tensors]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(neighbours.get(name, ()))
    return found


def prune(graph_def: Any, tensors: Iterable[str]) -> None:
    """Leave only what these tensors are computed from, in place as graphs may be large."""
    kept = ancestors(graph_def, tensors)
    _leave(graph_def.node, [node.name in kept for node in graph_def.node])
    for node in graph_def.node:
        _forget_neighbours(node, kept)
    _prune_functions(graph_def)


def _forget_neighbours(node: Any, kept: set[str]) -> None:
    """A wish to stand beside an operation that is gone would keep the graph from loading."""
    if "_class" not in node.attr:
        return
    wishes = [wish for wish in node.attr["_class"].list.s if wish.decode().partition("@")[2] in kept]
    del node.attr["_class"].list.s[:]
    node.attr["_class"].list.s.extend(wishes)
    if not wishes:
        del node.attr["_class"]


def _prune_functions(graph_def: Any) -> None:
    inside = {each.signature.name: each for each in graph_def.library.function}
    gradients = {each.function_name: each.gradient_func for each in graph_def.library.gradient}
    needed: set[str] = set()
    todo = [name for node in graph_def.node for name in _called(node)]
    while todo:
        name = todo.pop()
        if name in inside and name not in needed:
            needed.add(name)
            todo += [called for node in inside[name].node_def for called in _called(node)]
            todo += [gradients[name]] if name in gradients else []
    _leave(graph_def.library.function, [each.signature.name in needed for each in graph_def.library.function])
    _leave(graph_def.library.gradient, [each.function_name in needed for each in graph_def.library.gradient])


def _leave(messages: Any, wanted: list[bool]) -> None:
    """Only what is wanted, without copying it."""
    for place in reversed(range(len(wanted))):
        if not wanted[place]:
            del messages[place]


def _called(node: Any) -> Iterable[str]:
    yield node.op
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        for function in value.list.func:
            yield function.name


def set_values(graph_def: Any, values: Iterable[tuple[str, Any]]) -> None:
    """Turn placeholders into constants of the user's."""
    nodes = {node.name: node for node in graph_def.node}
    for tensor, value in values:
        node = nodes[graphs.node_name(tensor)]
        if node.op not in _PLACEHOLDERS:
            raise BadSource(f"{node.name} is no placeholder but a {node.op}, so no value can be set for it with --set")
        dtype = tf.as_dtype(node.attr["dtype"].type)
        try:
            proto = tf.make_tensor_proto(value, dtype=dtype)
        except (TypeError, ValueError) as error:
            raise BadSource(f"{node.name} is {dtype.name} and cannot be set to {value!r}; mend --set") from error
        constant = NodeDef(name=node.name, op="Const")
        constant.attr["dtype"].type = dtype.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(proto)
        node.CopyFrom(constant)


def keep_defaults(graph_def: Any, names: Collection[str]) -> None:
    """Let those of these operations that are switches stay as they stand, so that they can be folded."""
    for node in graph_def.node:
        if node.op == "PlaceholderWithDefault" and node.name in names:
            dtype = node.attr["dtype"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = dtype


def cut(graph_def: Any, inputs: Iterable[str]) -> dict[str, str]:
    """Put placeholders where the inputs are computed, such as behind a queue; says the new names."""
    nodes = {node.name: node for node in graph_def.node}
    computed = [tensor for tensor in inputs if nodes[graphs.node_name(tensor)].op not in _PLACEHOLDERS]
    if not computed:
        return {}
    graph = graphs.imported(graphs.skeleton(graph_def))
    new = {tensor: graphs.alias(tensor) for tensor in computed}
    # their own operations make way for names that clients will see
    moved = {name: f"{name}/cut" for name in set(map(graphs.node_name, computed)) | (set(new.values()) & nodes.keys())}
    for node in graph_def.node:
        node.name = moved.get(node.name, node.name)
        for place, name in enumerate(node.input):
            node.input[place] = _rewired(name, new, moved)
    for tensor, name in new.items():
        graph_def.node.append(_placeholder(name, graphs.tensor_in(graph, tensor)))
    return {tensor: f"{name}:0" for tensor, name in new.items()}


def _rewired(name: str, new: Mapping[str, str], moved: Mapping[str, str]) -> str:
    tensor = name if ":" in name else f"{name}:0"
    if tensor in new:
        return new[tensor]
    node = graphs.node_name(name)
    return name.replace(node, moved[node], 1) if node in moved else name


def _placeholder(name: str, tensor: Any) -> Any:
    node = NodeDef(name=name, op="Placeholder")
    node.attr["dtype"].type = tensor.dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tensor.shape.as_proto())
    return node
