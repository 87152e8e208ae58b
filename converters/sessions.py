"""Models loaded as a server loads them; the weights of very large ones are brought in one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from converters import graphs, pieces
from converters.quiet import quiet
from model_config.errors import BadSource

# bytes of a graph; TensorFlow copies those of constants about ten times before it answers
LARGE: Final = 128 << 20
# what weights are stored as
_WEIGHTS: Final = frozenset({tf.bfloat16, tf.float16, tf.float32, tf.float64, tf.int8, tf.uint8, tf.qint8, tf.quint8})
# where the nodes of a SavedModel's first graph are
_NODES: Final = tuple(
    kind.DESCRIPTOR.fields_by_name[name].number
    for kind, name in ((SavedModel, "meta_graphs"), (MetaGraphDef, "graph_def"), (GraphDef, "node"))
)


@contextmanager
def session(folder: Path, *, large: int = LARGE) -> Iterator[Any]:
    """A session over a SavedModel as a server holds it, variables and initialization included.

    Args:
        large: the large constants of a graph of more bytes are variables in the session. Operations, kernels and
            values are those that a server has, but not all that it computes ahead.

    Raises:
        BadSource: it cannot be loaded.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session() as opened:
        try:
            with quiet(), _lightened(folder, large) as (light, weights):
                tf.compat.v1.saved_model.load(opened, [graphs.SERVING_TAG], str(light))
                _fill(opened, folder, weights)
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
            raise BadSource(f"TensorFlow {tf.__version__} cannot load the model: {error}") from error
        yield opened


def require_loadable(folder: Path) -> None:
    """Load a SavedModel as a server does; BadSource when that fails."""
    with session(folder):
        pass


@contextmanager
def _lightened(folder: Path, large: int) -> Iterator[tuple[Path, frozenset[str]]]:
    """The folder, or where its graph is large another whose large constants are variables, with their names."""
    path = folder / graphs.SAVED_MODEL_FILES[0]
    found = graphs.saved_model(folder, outline=True) if path.is_file() and path.stat().st_size > large else None
    if found is None or len(found.meta_graphs) != 1 or _hollow(found.meta_graphs[0].graph_def.library):
        yield folder, frozenset()
        return
    with TemporaryDirectory() as scratch:
        weights = _as_variables(found.meta_graphs[0].graph_def, path)
        Path(scratch, path.name).write_bytes(found.SerializeToString())
        for each in folder.iterdir():
            if each.name not in (path.name, "fingerprint.pb"):
                Path(scratch, each.name).symlink_to(each.resolve())
        yield Path(scratch), weights


def _hollow(library: Any) -> bool:
    """Whether functions, in which there can be no variables, lost the values of constants."""
    constants = (node.attr["value"].tensor for each in library.function for node in each.node_def if node.op == "Const")
    sizes = (tf.as_dtype(each.dtype).size * math.prod(dim.size for dim in each.tensor_shape.dim) for each in constants)
    return any(size > pieces.OUTLINE for size in sizes)


def _as_variables(graph_def: Any, path: Path) -> frozenset[str]:
    """Put variables in the place of an outlined graph's weights, and whatever else it lacks back."""
    nodes = {node.name: node for node in graph_def.node}
    found = set()
    for node in _large_nodes(path):
        if not _is_weight(node):
            nodes[node.name].CopyFrom(node)
            continue
        found.add(node.name)
        tensor, stand_in = node.attr["value"].tensor, nodes[node.name]
        handle = graph_def.node.add(name=_handle(node.name), op="VarHandleOp")
        handle.attr["dtype"].type = tensor.dtype
        handle.attr["shape"].shape.CopyFrom(tensor.tensor_shape)
        handle.attr["shared_name"].s = node.name.encode()
        stand_in.Clear()
        stand_in.name, stand_in.op = node.name, "ReadVariableOp"
        stand_in.input.append(handle.name)
        stand_in.attr["dtype"].type = tensor.dtype
    return frozenset(found)


def _is_weight(node: Any) -> bool:
    # one with an input is held in a loop's frame or a branch
    return node.op == "Const" and not node.input and tf.as_dtype(node.attr["dtype"].type) in _WEIGHTS


def _fill(opened: Any, folder: Path, weights: frozenset[str]) -> None:
    if not weights:
        return
    for node in _large_nodes(folder / graphs.SAVED_MODEL_FILES[0]):
        if node.name in weights:
            value = tf.make_ndarray(node.attr["value"].tensor)
            given = tf.compat.v1.placeholder(tf.as_dtype(node.attr["dtype"].type), value.shape)
            handle = opened.graph.get_tensor_by_name(f"{_handle(node.name)}:0")
            opened.run(tf.raw_ops.AssignVariableOp(resource=handle, value=given), {given: value})


def _handle(name: str) -> str:
    return f"{name}/variable"


def _large_nodes(path: Path) -> Iterator[Any]:
    """One after the other, as one is all that should stand in memory."""
    with path.open("rb") as file:
        for span in pieces.within(file.fileno(), 0, path.stat().st_size, _NODES):
            if span.end - span.content > pieces.OUTLINE:
                node = NodeDef()
                pieces.merge(file.fileno(), node, span.content, span.end)
                yield node
