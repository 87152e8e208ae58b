"""Variables become constants, so that the graph passes see the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from converters import graphs
from converters.quiet import quiet
from converters.registry import register
from model_config.errors import BuildError

_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}
_TABLES = {"HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2", "LookupTableFindV2"}


@register("freeze")
def freeze(source: Path, target: Path) -> None:
    """Turn variables into constants and inline functions; the default signature stays."""
    meta = graphs.meta_graph(source)
    operations = _operation_types(meta.graph_def)
    if operations & _TABLES:
        raise BuildError("the model looks words up in tables, which cannot be frozen; serve version 1 (original)")
    plain = not meta.HasField("object_graph_def") and not operations & _VARIABLES
    graphs.write(graphs.read(source) if plain else _frozen(source, meta), target)


def _operation_types(graph_def: Any) -> set[str]:
    return {node.op for node in graphs.nodes(graph_def)}


def _frozen(source: Path, meta: Any) -> graphs.Graph:
    key, declared = graphs.signature_def(meta)
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
