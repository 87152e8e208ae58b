"""TensorFlow's own Graph Transform Tool, each transform under its own name with its own arguments."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.python.util._pywrap_transform_graph import TransformGraphWithStringInputs

from converters.graphs import Graph, node_name
from converters.hidden_weights import hidden, is_hidden, restored
from converters.registry import Pass, on_graphs, register
from model_config.errors import BuildError

TRANSFORMS: Final = MappingProxyType(
    {
        "add_default_attributes": "Write out every attribute that has its default value.",
        "backport_concatv2": "Write ConcatV2 as the Concat of an older TensorFlow.",
        "backport_tensor_array_v3": "Write arrays with the operations of an older TensorFlow.",
        "flatten_atrous_conv": "Spread the weights of dilated convolutions instead of their inputs.",
        "fold_batch_norms": "Multiply batch norms' scales into the weights before them.",
        "fold_constants": "Compute ahead whatever depends on constants only.",
        "fold_old_batch_norms": "Do the same for the batch norm operations of early TensorFlow.",
        "freeze_requantization_ranges": "Fix the ranges of 8-bit arithmetic to those logged in min_max_log_file.",
        "fuse_pad_and_conv": "Take padding into the convolution after it.",
        "fuse_resize_and_conv": "Take resizing into the convolution after it.",
        "fuse_resize_pad_and_conv": "Take resizing and padding into the convolution after them.",
        "insert_logging": "Print values as they are computed, such as the ranges that can then be frozen.",
        "merge_duplicate_nodes": "Keep one of several operations that compute the same.",
        "obfuscate_names": "Shorten the names of all operations but inputs and outputs.",
        "quantize_nodes": "Compute in 8 bits, with ranges found anew in every request.",
        "quantize_weights": "Store large weights in 8 bits and widen them again in the graph.",
        "remove_attribute": "Drop the attribute named by attribute_name.",
        "remove_control_dependencies": "Drop inputs that only order operations.",
        "remove_device": "Drop the wishes for a device.",
        "remove_nodes": "Take out pass-through operations of the types named by op.",
        "rename_attribute": "Rename old_attribute_name to new_attribute_name.",
        "rename_node": "Rename the operation old_node_name to new_node_name.",
        "rename_op": "Make operations of type old_op_name those of type new_op_name.",
        "round_weights": "Round large weights to few distinct values, so that archives shrink.",
        "set_device": "Wish for the device named by device.",
        "sort_by_execution_order": "List every operation after those it reads.",
        "sparsify_gather": "Store embeddings that are mostly zeros in tables.",
        "strip_unused_nodes": "Drop whatever the outputs do not need.",
    }
)


# those that could be done without looking at weights
_BLIND: Final = frozenset(
    {
        "fold_constants",
        "merge_duplicate_nodes",
        "remove_control_dependencies",
        "remove_device",
        "sort_by_execution_order",
        "strip_unused_nodes",
    }
)


def _transform(name: str) -> Pass:
    def apply(graph: Graph, **arguments: str) -> Graph:
        return _run(name, graph, arguments)

    apply.__doc__ = TRANSFORMS[name]
    return on_graphs(apply)


def _run(name: str, graph: Graph, arguments: dict[str, str]) -> Graph:
    """Source of the arguments: the tool's README in TensorFlow 1.15, tensorflow/tools/graph_transforms.

    Args:
        arguments: by name; the lines of a value are several of that name, as remove_nodes takes them.
    """
    inputs = list(map(node_name, graph.input_tensors))
    outputs = graph.ends[len(inputs) :]
    lines = [(key, line) for key, value in arguments.items() for line in value.split("\n")]
    given_arguments = ", ".join(f'{key}="{line}"' for key, line in lines)
    call = f"{name}({given_arguments})"
    given = hidden(graph.graph_def) if name in _BLIND else graph.graph_def
    if name == "fold_constants":
        # it takes a placeholder for a constant unless it is an input, fails to compute it, and then folds nothing
        inputs += [node.name for node in given.node if is_hidden(node)]
    try:
        done = TransformGraphWithStringInputs(
            given.SerializeToString(), ",".join(inputs).encode(), ",".join(outputs).encode(), call.encode()
        )
    except Exception as error:  # the binding raises whatever class the C++ status maps to
        raise BuildError(f"TensorFlow's graph transform {call} failed: {error}") from error
    graph_def = GraphDef.FromString(done)
    # the tool forgets which TensorFlow wrote the graph, and that decides how it is read
    graph_def.versions.CopyFrom(graph.graph_def.versions)
    if name not in _BLIND:
        return graph.with_graph(graph_def)
    return graph if graph_def == given else graph.with_graph(restored(graph_def, graph.graph_def))


for _name in TRANSFORMS:
    register(_name)(_transform(_name))
