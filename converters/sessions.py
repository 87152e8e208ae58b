"""Models loaded as a server loads them; the weights of very large ones are brought in one by one."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

from converters import graphs
from converters.outlined import Outlined
from converters.quiet import quiet
from model_config import base_path
from model_config.errors import BadSource

# values in constants; TensorFlow copies them about ten times before it answers
LARGE: Final = 1 << 25
# bytes; below that a collection takes longer than what there is to do with the model
_WORTH_COLLECTING: Final = 1 << 25
# optimizers that change nothing where there are no gradients, but copy all constants, 8-bit ones value by value
SPARING: Final = ConfigProto()
SPARING.graph_options.rewrite_options.disable_tfg_optimizer = True
SPARING.graph_options.rewrite_options.memory_optimization = RewriterConfig.NO_MEM_OPT


@contextmanager
def session(folder: Path, *, large: int = LARGE) -> Iterator[Any]:
    """A session over a SavedModel as a server holds it, variables and initialization included.

    Args:
        large: of a graph with more values in its constants, what TensorFlow would compute ahead of large ones is
            computed one by one, and held in variables. Operations and values are those that a server has.

    Raises:
        BadSource: it cannot be loaded.
    """
    graph, outlined = tf.Graph(), Outlined.of(folder, large)
    # a session used with its own "with" would make its graph the one that the block's own operations go to
    with closing(tf.compat.v1.Session(graph=graph, config=SPARING if outlined else None)) as opened:
        try:
            with quiet(), graph.as_default():
                _load(opened, folder, outlined)
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
            raise BadSource(f"TensorFlow {tf.__version__} cannot load the model: {error}") from error
        yield opened


@contextmanager
def over(graph: graphs.Graph) -> Iterator[Any]:
    """A session over a graph of floats as it stands, its large constants held in variables, which are not copied."""
    loaded = tf.Graph()
    with closing(tf.compat.v1.Session(graph=loaded)) as opened:
        with loaded.as_default():
            light = graphs.skeleton(graph.graph_def)
            there = {node.name for node in light.node if node.op == "Const"}
            large = [node for node in graph.graph_def.node if node.op == "Const" and node.name not in there]
            # under names of their own, as an operation's own name may be the scope of another, which would be renamed
            held = {f"{node.name}:0": _held(opened, tf.make_ndarray(node.attr["value"].tensor)) for node in large}
            tf.import_graph_def(_without(light, {node.name for node in large}), held, name="")
        if graph.set_up is not None:
            graph.set_up.run(opened)
        yield opened


def require_loadable(folder: Path) -> None:
    """Load a SavedModel as a server does; BadSource when that fails."""
    with session(folder):
        pass
    forget(folder)


def forget(folder: Path) -> None:
    """Give back the memory of a closed session over a large SavedModel: it and its graph hold each other."""
    if sum(base_path.sizes(folder).values()) > _WORTH_COLLECTING:
        gc.collect()


def _load(opened: Any, folder: Path, outlined: Outlined | None) -> None:
    if outlined is None or not outlined.weights:
        tf.compat.v1.saved_model.load(opened, [graphs.SERVING_TAG], str(folder))
        return
    weights = {f"{name}:0": _held(opened, outlined.value(name)) for name in outlined.weights}
    with TemporaryDirectory() as scratch:
        outlined.write(Path(scratch))
        tf.compat.v1.saved_model.load(opened, [graphs.SERVING_TAG], scratch, input_map=weights)


def _without(graph_def: Any, names: set[str]) -> Any:
    """A graph without these constants, for which nobody need wait."""
    rest = graphs.emptied(graph_def)
    for node in graph_def.node:
        if node.name not in names:
            kept = rest.node.add()
            kept.CopyFrom(node)
            kept.ClearField("input")
            kept.input.extend(each for each in node.input if not (each[0] == "^" and each[1:] in names))
    return rest


def _held(opened: Any, value: Any) -> Any:
    """A variable with that value, as it is read."""
    dtype = tf.as_dtype(value.dtype)
    name = f"weight_{len(opened.graph.get_operations())}"
    handle = tf.raw_ops.VarHandleOp(dtype=dtype, shape=value.shape, shared_name=name, name=name)
    given = tf.compat.v1.placeholder(dtype, value.shape)
    opened.run(tf.raw_ops.AssignVariableOp(resource=handle, value=given), {given: value})
    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
