"""Models loaded as a server loads them; the weights of very large ones are brought in one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import tensorflow as tf

from converters import graphs
from converters.outlined import Outlined
from converters.quiet import quiet
from model_config.errors import BadSource

# values in constants; TensorFlow copies them about ten times before it answers
LARGE: Final = 1 << 25


@contextmanager
def session(folder: Path, *, large: int = LARGE) -> Iterator[Any]:
    """A session over a SavedModel as a server holds it, variables and initialization included.

    Args:
        large: of a graph with more values in its constants, what TensorFlow would compute ahead of large ones is
            computed one by one, and held in variables. Operations and values are those that a server has.

    Raises:
        BadSource: it cannot be loaded.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session() as opened:
        try:
            with quiet():
                held = _load(opened, folder, large)
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
            raise BadSource(f"TensorFlow {tf.__version__} cannot load the model: {error}") from error
        try:
            yield opened
        finally:  # the session itself goes when Python comes to it
            opened.run([tf.raw_ops.DestroyResourceOp(resource=handle) for handle in held])


def require_loadable(folder: Path) -> None:
    """Load a SavedModel as a server does; BadSource when that fails."""
    with session(folder):
        pass


def _load(opened: Any, folder: Path, large: int) -> list[Any]:
    """Handles of the variables that hold large weights."""
    outlined = Outlined.of(folder, large)
    if outlined is None:
        tf.compat.v1.saved_model.load(opened, [graphs.SERVING_TAG], str(folder))
        return []
    held = {name: _held(opened, outlined.value(name)) for name in outlined.weights}
    with TemporaryDirectory() as scratch:
        outlined.write(Path(scratch))
        read = {f"{name}:0": tf.raw_ops.ReadVariableOp(resource=each[0], dtype=each[1]) for name, each in held.items()}
        tf.compat.v1.saved_model.load(opened, [graphs.SERVING_TAG], scratch, input_map=read)
    return [handle for handle, _ in held.values()]


def _held(opened: Any, value: Any) -> tuple[Any, Any]:
    """A variable with that value, and its type."""
    dtype = tf.as_dtype(value.dtype)
    name = f"weight_{len(opened.graph.get_operations())}"
    handle = tf.raw_ops.VarHandleOp(dtype=dtype, shape=value.shape, shared_name=name, name=name)
    given = tf.compat.v1.placeholder(dtype, value.shape)
    opened.run(tf.raw_ops.AssignVariableOp(resource=handle, value=given), {given: value})
    return handle, dtype
