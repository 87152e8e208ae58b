"""A signature of a loaded version: what it takes and gives, checked in the stock server's order and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from clients.wire import tensors
from serving.embedded import refusals


class Sent(Protocol):
    """A tensor of a request, not looked into yet."""

    def tensor(self) -> tuple[int, np.ndarray[Any, Any]]:
        """Its data type's number and its values; ValueError when it makes no tensor."""


class Signature:
    """One signature, with what every request needs of it worked out once.

    Attributes:
        proto: TensorFlow's SignatureDef.
        inputs: their names, in the order in which ``feeds`` gives the arrays.
    """

    def __init__(self, name: str, proto: Any) -> None:
        """Nothing is asked of the graph yet."""
        self.name = name
        self.proto = proto
        self.inputs: tuple[str, ...] = tuple(sorted(proto.inputs))
        self._known = frozenset(self.inputs)
        self._types = [(alias, proto.inputs[alias].dtype) for alias in self.inputs]
        self._all_outputs = tuple(sorted(proto.outputs))
        # signatures had no defaults before TensorFlow 2.15
        self._defaults = {alias: _Default(each) for alias, each in getattr(proto, "defaults", {}).items()}

    def feeds(self, sent: Mapping[str, Sent]) -> list[np.ndarray[Any, Any]]:
        """The arrays to feed, in the order of ``inputs``; Refusal when they do not fit."""
        if sent.keys() != self._known:
            sent = self._completed(sent)
        return [_array(alias, sent[alias], place, dtype) for place, (alias, dtype) in enumerate(self._types)]

    def _completed(self, sent: Mapping[str, Sent]) -> Mapping[str, Sent]:
        complete = {**self._defaults, **sent}
        if len(complete) != len(self.inputs):
            raise refusals.wrong_inputs(sent, self.inputs)
        for alias in self.inputs:
            if alias not in complete:
                raise refusals.missing_input(alias, self.proto.inputs[alias].name, sent)
        return complete

    def outputs(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """The outputs to fetch: those wanted, or all; Refusal when one is unknown or named twice."""
        if not wanted:
            return self._all_outputs
        for place, alias in enumerate(wanted):
            if alias not in self.proto.outputs:
                raise refusals.unknown_output(alias, self.proto.outputs)
            if alias in wanted[:place]:
                raise refusals.invalid(f"duplicate output tensor alias: {alias}")
        return tuple(sorted(wanted))

    def fed(self) -> list[str]:
        """The graph's tensors behind the inputs."""
        return [self.proto.inputs[alias].name for alias in self.inputs]

    def fetched(self, outputs: Sequence[str]) -> list[str]:
        """The graph's tensors behind outputs."""
        return [self.proto.outputs[alias].name for alias in outputs]


class _Default:
    """What an input is when a request leaves it out."""

    def __init__(self, proto: Any) -> None:
        self._tensor = proto.dtype, tensors.decode(proto)

    def tensor(self) -> tuple[int, np.ndarray[Any, Any]]:
        return self._tensor


def _array(alias: str, sent: Sent, place: int, dtype: int) -> np.ndarray[Any, Any]:
    try:
        number, array = sent.tensor()
    except ValueError:
        raise refusals.invalid(f"tensor parsing error: {alias}") from None
    if number != dtype:
        raise refusals.wrong_type(place, tf.as_dtype(dtype), tf.as_dtype(number))
    return array
