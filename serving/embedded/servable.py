"""One loaded version: a session over its SavedModel, and its signatures ready to be called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from clients.wire import tensors
from serving.embedded import refusals

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

_TAGS = ["serve"]
_INIT_OP = "__saved_model_init_op"


class Servable:
    """A version as the stock server holds it: the graph in a session, fed and fetched by tensor name.

    Attributes:
        signatures: TensorFlow's SignatureDef by signature name.
    """

    def __init__(self, folder: Path, session_config: Any) -> None:
        """Load the SavedModel; whatever TensorFlow or the file system raises passes through."""
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=session_config)
        with graph.as_default():
            meta = tf.compat.v1.saved_model.load(self._session, _TAGS, str(folder))
        self.signatures: dict[str, Any] = {k: v for k, v in meta.signature_def.items() if k != _INIT_OP}
        self._calls: dict[tuple[str, tuple[str, ...]], Callable[..., Any]] = {}

    def predict(self, signature_name: str, inputs: Mapping[str, Any], wanted: Sequence[str]) -> Arrays:
        """Answer TensorProtos by arrays; ``wanted`` names the outputs, all when it is empty.

        Raises:
            Refusal: the request does not fit the signature.
            tf.errors.OpError: the graph itself refused.
        """
        if signature_name not in self.signatures:
            raise refusals.no_signature(signature_name)
        signature = self.signatures[signature_name]
        feeds = _feeds(signature, inputs)
        names = _outputs(signature, wanted)
        return dict(zip(names, self._call(signature_name, names)(*feeds)))

    def _call(self, signature_name: str, outputs: tuple[str, ...]) -> Callable[..., Any]:
        """The session's prepared call for these outputs; prepared once, as preparing costs more than calling."""
        key = (signature_name, outputs)
        if key not in self._calls:
            signature = self.signatures[signature_name]
            options = CallableOptions(
                feed=[signature.inputs[alias].name for alias in sorted(signature.inputs)],
                fetch=[signature.outputs[alias].name for alias in outputs],
            )
            # the public make_callable checks shapes in Python first: slower, and not with the stock server's words
            self._calls[key] = self._session._make_callable_from_options(options)
        return self._calls[key]

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()


def _feeds(signature: Any, inputs: Mapping[str, Any]) -> list[np.ndarray[Any, Any]]:
    """The inputs as arrays in the order of their names, checked in the order the stock server checks them."""
    if len(inputs) != len(signature.inputs):
        raise refusals.wrong_inputs(inputs, signature.inputs)
    for alias, info in sorted(signature.inputs.items()):
        if alias not in inputs:
            raise refusals.missing_input(alias, info.name, inputs)
    return [
        _array(alias, inputs[alias], place, signature.inputs[alias].dtype)
        for place, alias in enumerate(sorted(signature.inputs))
    ]


def _array(alias: str, proto: Any, place: int, dtype: int) -> np.ndarray[Any, Any]:
    try:
        array = tensors.decode(proto)
    except ValueError:
        raise refusals.invalid(f"tensor parsing error: {alias}") from None
    if proto.dtype != dtype:
        raise refusals.wrong_type(place, tf.as_dtype(dtype), tf.as_dtype(proto.dtype))
    return array


def _outputs(signature: Any, wanted: Sequence[str]) -> tuple[str, ...]:
    for place, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise refusals.unknown_output(alias, signature.outputs)
        if alias in wanted[:place]:
            raise refusals.invalid(f"duplicate output tensor alias: {alias}")
    return tuple(wanted) or tuple(sorted(signature.outputs))
