"""What TF-TRT would leave to TensorFlow, and why, as far as the graph tells without a GPU."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import tensorflow as tf

from converters import arithmetic, graphs

_CONTROL_FLOW: Final = "control flow, which an engine has none of"
_NO_CONVERTER: Final = "TF-TRT has no converter for it"
_STRINGS: Final = "strings, which TensorRT does not know"
_TYPES: Final = "computes with {}, which TensorRT does not"
_NMS: Final = "non-maximum suppression one class at a time; as CombinedNonMaxSuppression it could be taken"
_COUNTED: Final = "gives as many values as it finds, which an engine must know before"
_OPEN: Final = "sizes beside the batch that are open until a request; taken with use_dynamic_shape only"

_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("Enter", "Exit", "NextIteration", "LoopCond", "Switch", "Merge"), _CONTROL_FLOW),
        **dict.fromkeys(("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"), _CONTROL_FLOW),
        **dict.fromkeys(("Where", "Unique", "UniqueV2"), _COUNTED),
        **dict.fromkeys((f"NonMaxSuppression{version}" for version in ("", "V2", "V3", "V4", "V5")), _NMS),
    }
)
# types that its converters take; source: trt_convert.py and convert_nodes.cc of TensorFlow 2.17
_TAKEN: Final = frozenset({tf.float16, tf.float32, tf.int32, tf.bool, tf.int8, tf.resource})
# operations that only describe, hand over, order or call others
_SILENT: Final = frozenset(
    {"Const", "Identity", "IdentityN", "NoOp", "Placeholder", "PlaceholderWithDefault"}
    | {"ReadVariableOp", "VarHandleOp", "Variable", "VariableV2"}  # which are constants by then
)
_CALLS: Final = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def outside(graph_def: Any) -> dict[str, dict[str, int]]:
    """Operations that would stay outside of engines: by the reason, how many of which type."""
    taken = _taken()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for node in graphs.nodes(graph_def):
        reason = _reason(node, taken)
        if reason:
            found[reason][node.op] += 1
    for operation in arithmetic.shaped(graph_def, {}).get_operations():
        if operation.type not in _SILENT and _is_open(operation) and not _reason(operation.node_def, taken):
            found[_OPEN][operation.type] += 1
    return {reason: dict(types.most_common()) for reason, types in sorted(found.items())}


def _is_open(operation: Any) -> bool:
    return any(each.shape.rank is None or None in list(each.shape)[1:] for each in operation.inputs)


def _taken() -> frozenset[str]:
    """The operations that this TensorFlow's TF-TRT has converters for, which it says without TensorRT too."""
    from tensorflow.compiler.tf2tensorrt import _pywrap_py_utils

    return frozenset(_pywrap_py_utils.get_registered_op_converters())


def _reason(node: Any, taken: frozenset[str]) -> str | None:
    if node.op in _SILENT | _CALLS:
        return None
    if node.op in _REASONS:
        return _REASONS[node.op]
    types = {tf.as_dtype(value.type) for value in node.attr.values() if value.type}
    if tf.string in types:
        return _STRINGS
    if node.op not in taken:
        return _NO_CONVERTER
    others = sorted(each.name for each in types - _TAKEN)
    return _TYPES.format(" and ".join(others)) if others else None
