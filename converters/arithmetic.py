"""How much a graph computes: floating point operations, operation by operation, from the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.framework import ops
from tensorflow.python.grappler import tf_optimizer
from tensorflow.python.profiler.internal import flops_registry  # noqa: F401 - it registers TensorFlow's rules
from tensorflow.python.util import deprecation

from converters import array_shapes, graphs

Shapes = Mapping[str, Sequence[int]]

# operations that call a function, by the attributes that name it and type what goes in and out;
# of a loop one round counts, of branches each
_CALLS: Final[Mapping[str, tuple[tuple[str, ...], str, str]]] = MappingProxyType(
    {
        "While": (("body",), "T", "T"),
        "StatelessWhile": (("body",), "T", "T"),
        "If": (("then_branch", "else_branch"), "Tin", "Tout"),
        "StatelessIf": (("then_branch", "else_branch"), "Tin", "Tout"),
        "TRTEngineOp": (("segment_func",), "InT", "OutT"),
        # as they are, but for hints that would keep them from being looked into
        "PartitionedCall": (("f",), "Tin", "Tout"),
        "StatefulPartitionedCall": (("f",), "Tin", "Tout"),
    }
)
_CHOOSING: Final = frozenset({"If", "StatelessIf"})  # whose first input only says which branch
# what keeps a function from being inlined
_HINTS: Final = ("_noinline", "_XlaMustCompile", "api_implements", "_implements")
# how the names of fused and 8-bit operations begin, and the operation whose rule fits them
_ALIKE: Final = MappingProxyType(
    {
        "_FusedConv2D": "Conv2D",
        "_FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
        "_FusedMatMul": "MatMul",
        "QuantizedConv2D": "Conv2D",
        "QuantizedDepthwiseConv2D": "DepthwiseConv2dNative",
        "QuantizedMatMul": "MatMul",
    }
)
_ALL: Final = "all_of_it"


@dataclass(frozen=True)
class Arithmetic:
    """What a graph computes in one call.

    Attributes:
        flops: floating point operations by operation; of one in a function the callers' names come first.
        types: the type of each operation counted.
        open: operations that have a rule, but whose sizes the shapes do not tell.
    """

    flops: Mapping[str, int]
    types: Mapping[str, str]
    open: tuple[str, ...]


def flops(graph_def: Any, shapes: Shapes, batch: int = 1) -> dict[str, int]:
    """Floating point operations by name of operation; a multiplication and an addition are two.

    Names inside functions begin with those of their callers: the work of an engine ``TRTEngineOp_0`` is that of all
    whose names begin with ``TRTEngineOp_0/``.

    Args:
        shapes: of the tensors that are fed, by the name of their placeholder.
        batch: what counts for a first dimension that stays open all the same.
    """
    return dict(count(graph_def, shapes, batch).flops)


def count(graph_def: Any, shapes: Shapes, batch: int = 1) -> Arithmetic:
    """The same with types, and with what could not be counted.

    Raises:
        BadSource: TensorFlow cannot load the graph.
    """
    graph = array_shapes.imported(_inlined(_prepared(graph_def, shapes)))
    found: dict[str, int] = {}
    unknown = []
    ruled = [(each, rule) for each in graph.get_operations() if (rule := _rule(each.type)) is not None]
    with deprecation.silence():  # some of TensorFlow's rules call what it has given up
        for operation, rule in ruled:
            try:
                found[operation.name] = _counted(rule, graph, operation, batch)
            except ValueError:  # a shape is not fully known
                unknown.append(operation.name)
    types = {name: graph.get_operation_by_name(name).type for name in found}
    return Arithmetic(found, types, tuple(unknown))


def _prepared(graph_def: Any, shapes: Shapes) -> Any:
    """A light copy with sizes for what is fed, in which all that happens inside functions is a plain call."""
    light = graphs.skeleton(graph_def)
    given = {graphs.node_name(name): shape for name, shape in shapes.items()}
    for node in light.node:
        if node.name in given and node.op.startswith("Placeholder"):
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(given[node.name]).as_proto())
    for function in light.library.function:
        for hint in _HINTS:
            function.attr.pop(hint, None)
        _call_plainly(function.node_def)
    _call_plainly(light.node)
    return light


def _call_plainly(nodes: Any) -> None:
    for node in list(nodes):
        if node.op in _CALLS:
            keys, taken, given = _CALLS[node.op]
            functions = [node.attr[key] for key in keys]
            if all(each.func.name for each in functions):
                calls = [node, *(nodes.add(name=f"{node.name}/{key}") for key in keys[1:])]
                _rewrite(node, calls, functions, (node.attr[taken], node.attr[given]))


def _rewrite(node: Any, calls: Iterable[Any], functions: Iterable[Any], types: tuple[Any, Any]) -> None:
    """Make each a call of its function with what the operation reads."""
    inputs = list(node.input)[node.op in _CHOOSING :]
    attributes = [{"f": _copied(each), "Tin": _copied(types[0]), "Tout": _copied(types[1])} for each in functions]
    for call, each in zip(calls, attributes):
        name = call.name
        call.Clear()
        call.name, call.op = name, "PartitionedCall"
        call.input.extend(inputs)
        for key, value in each.items():
            call.attr[key].CopyFrom(value)


def _copied(value: Any) -> Any:
    copy = AttrValue()
    copy.CopyFrom(value)
    return copy


def _inlined(graph_def: Any) -> Any:
    """The graph with what its functions do in the place of the calls."""
    if not graph_def.library.function:
        return graph_def
    read = {graphs.node_name(name) for node in graph_def.node for name in node.input}
    ends = [f"^{node.name}" for node in graph_def.node if node.name not in read]
    meta = MetaGraphDef(graph_def=graph_def)
    meta.graph_def.node.add(name=_ALL, op="NoOp", input=ends)
    meta.collection_def["train_op"].node_list.value.append(_ALL)
    config = ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1  # small graphs too
    options.optimizers.append("function")
    options.function_optimization = RewriterConfig.AGGRESSIVE
    return tf_optimizer.OptimizeGraph(config, meta)


def _rule(operation: str) -> Any:
    """TensorFlow's own rule for an operation type; None where it has none."""
    alike = next((each for start, each in _ALIKE.items() if operation.startswith(start)), operation)
    try:
        return ops._stats_registry.lookup(f"{alike},flops")
    except LookupError:
        return None


def _counted(rule: Any, graph: Any, operation: Any, batch: int) -> int:
    for tensor in (*operation.inputs, *operation.outputs):
        if tensor.shape.rank and tensor.shape[0] is None:
            tensor.set_shape([batch, *tensor.shape[1:]])
    return int(rule(graph, operation.node_def).value)
