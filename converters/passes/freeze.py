"""Variables become constants, so that the graph passes see the weights."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_from_session_graph,
    convert_variables_to_constants_v2,
)

from converters import graphs, inlining, pieces, tables
from converters.quiet import quiet
from converters.registry import register
from converters.set_up import SetUp
from converters.sources import rewiring
from model_config.errors import BuildError

_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}


@register("freeze")
def freeze(source: Path, target: Path) -> None:
    """Turn variables into constants and inline functions; the default signature stays."""
    meta = graphs.meta_graph(source, outline=True)
    _require_room(meta)
    plain = not meta.HasField("object_graph_def") and not _operation_types(meta.graph_def) & _VARIABLES
    with_tables = _reads_tables(meta)
    if plain and not tables.restored(meta.graph_def):
        graph = graphs.read(source)
        graphs.write(graph if with_tables else replace(graph, set_up=None), target)
    elif with_tables or not meta.HasField("object_graph_def"):
        graphs.write(_frozen_session(source, with_tables), target)
    else:
        graphs.write(_frozen_functions(source), target)


def _require_room(meta: Any) -> None:
    """Refuse weights that no one graph can hold, before they are all in memory."""
    _, signature = graphs.signature_def(meta)
    needed = rewiring.ancestors(meta.graph_def, [info.name for info in signature.outputs.values()])
    size = sum(_bytes(node) for node in meta.graph_def.node if node.op in _VARIABLES and node.name in needed)
    if size > pieces.LIMIT:
        raise BuildError(
            f"the model's variables take {size:,} bytes, and a graph with its weights as constants holds 2 GB at most;"
            " serve version 1 (original), whose variables are files of their own, or store them in half precision"
        )


def _bytes(variable: Any) -> int:
    elements = math.prod(dim.size for dim in variable.attr["shape"].shape.dim)
    return int(tf.as_dtype(variable.attr["dtype"].type).size * elements)


def _reads_tables(meta: Any) -> bool:
    """Whether the signature's answers depend on tables; others need not be filled."""
    _, signature = graphs.signature_def(meta)
    needed = GraphDef()
    needed.CopyFrom(meta.graph_def)
    rewiring.prune(needed, [info.name for info in signature.outputs.values()])
    return bool(_operation_types(needed) & tables.TABLES)


def _operation_types(graph_def: Any) -> set[str]:
    return {node.op for node in graphs.nodes(graph_def)}


def _frozen_session(source: Path, with_tables: bool) -> graphs.Graph:
    """A model as a server holds it: of TensorFlow 1, whose tensors keep their names, or with tables in functions."""
    meta = graphs.meta_graph(source, outline=True)
    key, signature = graphs.signature_def(meta)
    whole = graphs.Graph(None, key, signature, SetUp.of(meta, source) if with_tables else None)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session, quiet():
        tf.compat.v1.saved_model.load(session, [graphs.SERVING_TAG], str(source))
        whole = _opened(graph, whole) if meta.HasField("object_graph_def") else whole.with_graph(graph.as_graph_def())
        graph_def = convert_variables_to_constants_from_session_graph(session, whole.graph_def, whole.ends)
        graph_def.versions.CopyFrom(whole.graph_def.versions)  # which TensorFlow forgets, and reads operations by
        return tables.filled(session, whole.with_graph(graph_def), source)


def _opened(graph: Any, whole: graphs.Graph) -> graphs.Graph:
    """The graph of a signature that is a function, without functions."""
    signature = SignatureDef()
    signature.CopyFrom(whole.signature)
    for info in signature.outputs.values():  # calls go, and their names with them
        info.name = tf.identity(graph.get_tensor_by_name(info.name)).name
    ready = replace(whole, signature=signature)
    graph_def = graph.as_graph_def()
    rewiring.prune(graph_def, ready.ends)
    ready = ready.with_graph(inlining.inlined(graph_def, ready.ends))
    if ready.set_up is not None:
        tables.assigned(ready.graph_def, ready.set_up)
    return ready


def _frozen_functions(source: Path) -> graphs.Graph:
    """A model of TensorFlow 2, whose signature is a function."""
    key, declared = graphs.signature_def(graphs.meta_graph(source, outline=True))
    loaded = tf.saved_model.load(str(source))  # held, as its variables end with it
    with quiet():
        frozen = convert_variables_to_constants_v2(loaded.signatures[key])
    # both sides of a signature function are dictionaries, which TensorFlow flattens in the order of their keys
    signature = SignatureDef(method_name=declared.method_name)
    _rename(declared.inputs, frozen.inputs, signature.inputs)
    _rename(declared.outputs, frozen.outputs, signature.outputs)
    return graphs.Graph(frozen.graph.as_graph_def(), key, signature)


def _rename(declared: Any, tensors: Any, side: Any) -> None:
    for (alias, info), tensor in zip(sorted(declared.items()), tensors):
        if info.dtype != tensor.dtype.as_datatype_enum:
            raise BuildError(f"freezing mixed up {alias}: {info.dtype} became {tensor.dtype}")
        side[alias].CopyFrom(info)
        side[alias].name = tensor.name
