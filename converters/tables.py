"""Tables that a model looks words up in: what fills them in a server, once variables are constants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

from converters.graphs import Graph
from converters.set_up import SetUp
from converters.sources import rewiring

# filled by the operation that sets the model up
_FILLED: Final = frozenset({"HashTable", "HashTableV2"})
# filled, as variables are, out of the checkpoint
_RESTORED: Final = frozenset({"MutableHashTableV2", "MutableHashTableOfTensorsV2", "MutableDenseHashTableV2"})
TABLES: Final = _FILLED | _RESTORED | {"LookupTableFindV2"}


def restored(graph_def: Any) -> list[str]:
    """The tables whose content is in the checkpoint."""
    return [node.name for node in graph_def.node if node.op in _RESTORED]


def assigned(graph_def: Any, set_up: SetUp) -> None:
    """Let what the set-up reads of variables that it has just assigned be read without them, in place.

    TensorFlow 2 keeps the path of a vocabulary in such a variable. As a constant it would be the path on this machine.
    """
    needed = rewiring.ancestors(graph_def, [set_up.operation])
    values = {node.input[0]: node.input[1] for node in graph_def.node if _assigns(node) and node.name in needed}
    for node in graph_def.node:
        if node.op == "ReadVariableOp" and node.input[0] in values:
            dtype = node.attr["dtype"].type
            controls = [name for name in node.input if name.startswith("^")]
            node.op, node.input[:] = "Identity", [values[node.input[0]], *controls]
            node.attr.clear()
            node.attr["T"].type = dtype
        elif _assigns(node) and node.name in needed:
            node.op = "NoOp"
            del node.input[:]
            node.attr.clear()


def _assigns(node: Any) -> bool:
    return bool(node.op == "AssignVariableOp")


def filled(session: Any, graph: Graph, folder: Path) -> Graph:
    """The graph with the content of its tables that were restored from a checkpoint, as they are in a session.

    Args:
        folder: the SavedModel that it comes from.
    """
    names = restored(graph.graph_def)
    if not names:
        return graph
    imports = [node for name in names for node in _import(session, name)]
    graph.graph_def.node.extend(imports)
    done = graph.graph_def.node.add(name=_free(graph.graph_def, "fill_tables"), op="NoOp")
    before = [] if graph.set_up is None else [graph.set_up.operation]
    done.input.extend(f"^{name}" for name in (*before, *(node.name for node in imports if node.op != "Const")))
    assets = () if graph.set_up is None else graph.set_up.assets
    return replace(graph, set_up=SetUp(done.name, assets, folder))


def _import(session: Any, name: str) -> Iterator[Any]:
    """What fills one table again, with what it holds now."""
    operation = session.graph.get_operation_by_name(name)
    types = {key: operation.get_attr(key) for key in ("key_dtype", "value_dtype")}
    with session.graph.as_default():
        content = tf.raw_ops.LookupTableExportV2(
            table_handle=operation.outputs[0], Tkeys=types["key_dtype"], Tvalues=types["value_dtype"]
        )
    filling = NodeDef(name=f"{name}/fill", op="LookupTableImportV2", input=[name])
    filling.attr["Tin"].type, filling.attr["Tout"].type = (each.as_datatype_enum for each in types.values())
    for side, value in zip(("keys", "values"), session.run(content)):
        constant = NodeDef(name=f"{name}/{side}", op="Const")
        dtype = types["key_dtype" if side == "keys" else "value_dtype"]
        constant.attr["dtype"].type = dtype.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype))
        filling.input.append(constant.name)
        yield constant
    yield filling


def _free(graph_def: Any, name: str) -> str:
    there = {node.name for node in graph_def.node}
    return next(each for each in (name, *(f"{name}_{n}" for n in range(len(there)))) if each not in there)
