"""Shapes behind the loops of TensorFlow 1: it does not follow what is written into an array to where it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from converters import graphs

# which input of an operation is written, and how many leading sizes are no element's
_WRITES: Final = {"TensorArrayWriteV3": (2, 0), "TensorArrayScatterV3": (2, 1)}
_MOST: Final = 8  # arrays that are filled from one another


def imported(graph_def: Any) -> Any:
    """The graph as TensorFlow takes it, with shapes as far as they can be told; its arrays are labelled in place."""
    unlabelled = {node.name: node for node in graph_def.node if node.op == "TensorArrayV3"}
    for _ in range(_MOST):
        graph = graphs.imported(graph_def)
        if not _labelled(graph, unlabelled):
            break
    return graph


def _labelled(graph: Any, unlabelled: dict[str, Any]) -> bool:
    """Whether an array's elements are known that were not before."""
    before = len(unlabelled)
    for name, shape in _written(graph):
        if name in unlabelled and shape.is_fully_defined():
            node = unlabelled.pop(name)
            # what the array's operation says of its elements, TensorFlow follows
            node.attr["element_shape"].shape.CopyFrom(shape.as_proto())
            node.attr["identical_element_shapes"].b = True
    return len(unlabelled) < before


def _written(graph: Any) -> Iterator[tuple[str, Any]]:
    for operation in graph.get_operations():
        if operation.type in _WRITES:
            place, leading = _WRITES[operation.type]
            yield _array(operation), operation.inputs[place].shape[leading:]


def _array(operation: Any) -> str:
    """The operation that made the array, through those that bring its handle into a loop."""
    source = operation.inputs[0].op
    while source.type in ("Enter", "Identity", "Switch", "Merge"):
        source = source.inputs[0].op
    return str(source.name)
