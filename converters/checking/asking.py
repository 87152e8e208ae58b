"""What a SavedModel answers to the requests of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Union

import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from converters import graphs, sessions
from converters.checking import warm_up
from converters.checking.warm_up import Arrays

# the outputs by name, or the words in which the model refused
Reply = Union[Arrays, str]


def replies(folder: Path, requests: Path) -> list[Reply]:
    """One to every request of a warm-up file; BadSource when the model does not load."""
    calls = list(warm_up.read(requests))
    # copies, as a part of a message keeps all of it in memory
    signatures = {name: deepcopy(each) for name, each in graphs.meta_graph(folder, outline=True).signature_def.items()}
    with sessions.session(folder) as session:
        # prepared once for all batch sizes, as only then TensorFlow optimizes the graph, which can take seconds
        prepared = {name: _prepared(session, signatures[name]) for name in dict(calls)}
        return [_reply(prepared[name], signatures[name], inputs) for name, inputs in calls]


def _prepared(session: Any, signature: Any) -> Callable[..., Sequence[Any]] | str:
    """A call of the signature, or the words in which TensorFlow refuses to make one."""
    feed, fetch = ([info.name for info in side.values()] for side in (signature.inputs, signature.outputs))
    try:
        # what the public ways to call raise is not what a server would say
        call: Callable[..., Sequence[Any]] = session._make_callable_from_options(
            CallableOptions(feed=feed, fetch=fetch)
        )
    except tf.errors.OpError as error:
        return _words(error)
    return call


def _reply(call: Callable[..., Sequence[Any]] | str, signature: Any, inputs: Arrays) -> Reply:
    if isinstance(call, str):
        return call
    try:
        arrays = call(*(inputs[name] for name in signature.inputs))
    except tf.errors.OpError as error:
        return _words(error)
    return dict(zip(signature.outputs, arrays))


def _words(error: tf.errors.OpError) -> str:
    return str(error.message).partition("\n")[0]
