"""Variables become constants, so that the graph passes see the weights."""

from __future__ import annotations

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

from converters import graphs
from converters.quiet import quiet
from converters.registry import register
from converters.set_up import SetUp
from converters.sources import rewiring
from model_config.errors import BuildError

_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}
_TABLES = {"HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2", "LookupTableFindV2"}


@register("freeze")
def freeze(source: Path, target: Path) -> None:
    """Turn variables into constants and inline functions; the default signature stays."""
    meta = graphs.meta_graph(source, outline=True)
    plain = not meta.HasField("object_graph_def") and not _operation_types(meta.graph_def) & _VARIABLES
    tables = _reads_tables(meta)
    if tables and meta.HasField("object_graph_def"):
        key, others = graphs.signature_def(meta)[0], len(meta.signature_def) > 1
        raise BuildError(
            f"signature {key} is a function of TensorFlow 2 that looks words up in tables, which cannot be frozen;"
            " serve version 1 (original)"
            + (", or convert a signature that needs no table with --signature" if others else "")
        )
    frozen = graphs.read if plain else _frozen_functions if meta.HasField("object_graph_def") else _frozen_session
    graph = frozen(source)
    graphs.write(graph if tables else replace(graph, set_up=None), target)


def _reads_tables(meta: Any) -> bool:
    """Whether the signature's answers depend on tables; others need not be filled."""
    _, signature = graphs.signature_def(meta)
    needed = GraphDef()
    needed.CopyFrom(meta.graph_def)
    rewiring.prune(needed, [info.name for info in signature.outputs.values()])
    return bool(_operation_types(needed) & _TABLES)


def _operation_types(graph_def: Any) -> set[str]:
    return {node.op for node in graphs.nodes(graph_def)}


def _frozen_session(source: Path) -> graphs.Graph:
    """A model of TensorFlow 1, whose tensors keep their names."""
    meta = graphs.meta_graph(source, outline=True)
    key, signature = graphs.signature_def(meta)
    set_up = SetUp.of(meta, source) if _reads_tables(meta) else None
    ends = graphs.Graph(None, key, signature, set_up).ends
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session, quiet():
        tf.compat.v1.saved_model.load(session, [graphs.SERVING_TAG], str(source))
        whole = graph.as_graph_def()
        graph_def = convert_variables_to_constants_from_session_graph(session, whole, ends)
    graph_def.versions.CopyFrom(whole.versions)  # which TensorFlow forgets, and by which it reads operations
    return graphs.Graph(graph_def, key, signature, set_up)


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
