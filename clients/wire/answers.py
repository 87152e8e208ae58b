"""Answers read straight from the bytes that came: numbers become views of them instead of a Python object each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError

from clients.wire import serving_pb2 as wire
from clients.wire import tensors, varints

Array = np.ndarray[Any, Any]

# protobuf's wire types and the bytes of those that have a fixed number of them
_VARINT, _DELIMITED = 0, 2
_FIXED: Final = MappingProxyType({1: 8, 5: 4})
# fields of PredictResponse, of an entry of its map of outputs, and of TensorProto
_OUTPUTS, _SPEC = 1, 2
_KEY, _VALUE = 1, 2
_DTYPE, _SHAPE, _CONTENT = 1, 2, 4
_FIELDS: Final = MappingProxyType(
    {field.name: field.number for field in wire.TensorProto.DESCRIPTOR.fields if field.name.endswith("_val")}
)
# floating point numbers travel as they are; all others as varints
_PLAIN: Final = frozenset({"float_val", "double_val", "scomplex_val", "dcomplex_val"})


class Answer(NamedTuple):
    """A PredictResponse: arrays by output name, and who gave them."""

    outputs: dict[str, Array]
    spec: wire.ModelSpec


def read_predict_response(content: bytes) -> Answer:
    """Read a serialised PredictResponse; numbers are read-only. ValueError when it is none."""
    outputs, spec = {}, wire.ModelSpec()
    try:
        for number, value in _fields(memoryview(content)):
            if number == _OUTPUTS:
                entry = dict(_fields(value))
                outputs[str(entry.get(_KEY, b""), "utf-8")] = _tensor(entry.get(_VALUE, memoryview(b"")))
            elif number == _SPEC:
                spec.MergeFromString(bytes(value))
    except IndexError as error:
        raise ValueError("the message ends too early") from error
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return Answer(outputs, spec)


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of every field of a message."""
    at, end = 0, len(data)
    while at < end:
        key, at = varints.read(data, at)
        kind = key & 7
        if kind == _DELIMITED:
            size, at = varints.read(data, at)
        elif kind == _VARINT:
            size = varints.read(data, at)[1] - at
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"protobuf has no wire type {kind}")
        if at + size > end:
            raise ValueError("the message ends too early")
        yield key >> 3, data[at : at + size]
        at += size


def _tensor(data: memoryview) -> Array:
    found: dict[int, list[memoryview]] = {}
    for number, value in _fields(data):
        found.setdefault(number, []).append(value)
    kind = tensors.BY_NUMBER.get(varints.read(found[_DTYPE][-1], 0)[0] if _DTYPE in found else 0)
    if kind is None:
        raise ValueError("the message holds a tensor of a type that numpy has not")
    sizes, count = _shape(b"".join(found.get(_SHAPE, ())))
    return tensors.filled(_values(kind, found), count).reshape(sizes)


@lru_cache(maxsize=4096)
def _shape(content: bytes) -> tuple[tuple[int, ...], int]:
    """The sizes in a shape, and how many values they make; answers say the same ones again and again."""
    shape = wire.TensorShapeProto.FromString(content)
    sizes = tuple(dim.size for dim in shape.dim)
    count = math.prod(sizes)
    # a message has less than 2 GB, so one that promises more values than that is damaged
    if shape.unknown_rank or min(sizes, default=0) < 0 or count > 2**31:
        raise ValueError(f"the message holds no tensor that numpy could: shape {sizes}")
    return sizes, count


def _values(kind: tensors.Kind, found: dict[int, list[memoryview]]) -> Array:
    if _CONTENT in found:
        return _native(found[_CONTENT][-1], kind.dtype)
    parts = found.get(_FIELDS[kind.field], [])
    if kind is tensors.STRING:
        values = np.empty(len(parts), np.object_)
        values[:] = [bytes(part) for part in parts]
        return values
    data = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
    if kind.field in _PLAIN:
        return _native(data, kind.stored).view(kind.dtype)
    return varints.read_all(data).astype(kind.stored, copy=False).view(kind.dtype)


def _native(data: memoryview, dtype: np.dtype[Any]) -> Array:
    """A view of little-endian numbers; a copy on a machine that orders its bytes otherwise."""
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False)
