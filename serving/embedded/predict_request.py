"""A PredictRequest read from its bytes: what a usual request holds is found without copying or building messages."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2

from clients.wire import tensors
from clients.wire.serving_pb2 import TensorProto, TensorShapeProto
from serving.embedded.model_spec import Spec, read_spec

# tags as they stand in the bytes: field number times eight plus two for what brings its length
_SPEC, _INPUT, _FILTER = 10, 18, 26
_KEY, _VALUE = 10, 18
_DTYPE, _SHAPE, _CONTENT = 8, 18, 34


class Span(NamedTuple):
    """Where a TensorProto lies in the bytes of its request."""

    raw: bytes
    start: int
    end: int

    def tensor(self) -> tuple[int, np.ndarray[Any, Any]]:
        """Its data type's number and its values, a view of the request where they came as one block.

        Raises:
            ValueError: the message makes no tensor.
        """
        found = _plain(*self)
        if found is not None:
            return found
        proto = TensorProto.FromString(self.raw[self.start : self.end])
        return proto.dtype, tensors.decode(proto)


class PredictRequest(NamedTuple):
    """What is asked of which version."""

    spec: Spec
    inputs: dict[str, Span]
    outputs: tuple[str, ...]


def read(raw: bytes) -> PredictRequest:
    """Find the parts of a request; DecodeError when the bytes are none."""
    spec: bytes | None = None
    inputs: dict[str, Span] = {}
    outputs: list[str] = []
    end, place = len(raw), 0
    while place < end:
        tag = raw[place]
        if tag not in (_SPEC, _INPUT, _FILTER):
            return _read_unusual(raw)
        start, place = _extent(raw, place + 1, end)
        if tag == _INPUT:
            key, value = _entry(raw, start, place)
            inputs[key] = value
        elif tag == _SPEC:
            spec = (spec or b"") + raw[start:place]  # said in parts, the parts add up
        else:
            outputs.append(_text(raw[start:place]))
    return PredictRequest(read_spec(spec), inputs, tuple(outputs))


def _read_unusual(raw: bytes) -> PredictRequest:
    """The same for bytes with fields that have come since or are laid out in a way of their own."""
    request = predict_pb2.PredictRequest.FromString(raw)
    written = {name: proto.SerializeToString() for name, proto in request.inputs.items()}
    inputs = {name: Span(each, 0, len(each)) for name, each in written.items()}
    spec = request.model_spec.SerializeToString() if request.HasField("model_spec") else None
    return PredictRequest(read_spec(spec), inputs, tuple(request.output_filter))


def _entry(raw: bytes, start: int, end: int) -> tuple[str, Span]:
    key, span, place = "", Span(raw, end, end), start
    while place < end:
        tag = raw[place]
        first, place = _extent(raw, place + 1, end)
        if tag == _KEY:
            key = _text(raw[first:place])
        elif tag == _VALUE:
            span = Span(raw, first, place)
        else:
            raise DecodeError("an input is a name and a tensor")
    return key, span


def _plain(raw: bytes, start: int, end: int) -> tuple[int, np.ndarray[Any, Any]] | None:
    """Type, shape and a block of values, which is what clients send; None for anything else."""
    number, shape, first, last, place = 0, b"", 0, 0, start
    while place < end:
        tag = raw[place]
        if tag == _DTYPE:
            number, place = _number(raw, place + 1)
            continue
        if tag not in (_SHAPE, _CONTENT):
            return None
        begin, place = _extent(raw, place + 1, end)
        if tag == _SHAPE:
            shape += raw[begin:place]
        else:
            first, last = begin, place
    kind = tensors.BY_NUMBER.get(number)
    if kind is None or first == last:
        return None
    count, odd = divmod(last - first, kind.dtype.itemsize)
    if odd or kind is tensors.STRING:
        raise ValueError("the bytes are no whole number of values")
    return number, np.frombuffer(raw, kind.dtype, count, first).reshape(_sizes(shape))


@lru_cache(maxsize=4096)
def _sizes(raw: bytes) -> tuple[int, ...]:
    shape = TensorShapeProto.FromString(raw)
    sizes = tuple(dim.size for dim in shape.dim)
    if shape.unknown_rank or any(size < 0 for size in sizes):
        raise ValueError(f"not the shape of a tensor: {sizes}")
    return sizes


def _extent(raw: bytes, place: int, end: int) -> tuple[int, int]:
    """Where a field that brings its length begins and ends."""
    size, start = _number(raw, place)
    if start + size > end:
        raise DecodeError("the request ends too early")
    return start, start + size


def _number(raw: bytes, place: int) -> tuple[int, int]:
    """A varint and the place behind it."""
    try:
        value, shift = raw[place] & 127, 7
        while raw[place] > 127:
            place += 1
            value |= (raw[place] & 127) << shift
            shift += 7
    except IndexError:
        raise DecodeError("the request ends too early") from None
    return value, place + 1


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("a name is not UTF-8") from error
