"""A PredictResponse as bytes: the stock server's typed fields, written from the arrays' own memory where they match."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Union

import numpy as np

from clients.wire import tensors
from clients.wire.serving_pb2 import DataType, ModelSpec, TensorProto, TensorShapeProto

# a repeated number of these fields lies on the wire as it lies in memory
_AS_IN_MEMORY = {"float_val", "double_val", "scomplex_val", "dcomplex_val"}
_ONE_BYTE = 128  # smaller whole numbers take one byte on the wire

# arrays are joined by their memory
Part = Union[bytes, Any]


def write(outputs: Mapping[str, np.ndarray[Any, Any]], model: str, version: int, signature: str) -> bytes:
    """The message for arrays by output name, with what gave them."""
    parts: list[Part] = []
    for name, array in outputs.items():
        head, values = _head(array.dtype, array.shape), _values(array)
        size = len(head) + sum(map(len, values))
        key = _key(name)
        parts += (b"\x0a", _varint(len(key) + 1 + len(_varint(size)) + size), key, b"\x12", _varint(size), head)
        parts += values
    parts.append(_spec(model, version, signature))
    return b"".join(parts)


@lru_cache(maxsize=4096)
def _head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Type and shape; a tensor has few of them over its life."""
    sizes = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape])
    return TensorProto(dtype=DataType.Name(tensors.kind_of(dtype).number), tensor_shape=sizes).SerializeToString()


@lru_cache(maxsize=4096)
def _key(name: str) -> bytes:
    return b"\x0a" + _varint(len(name.encode())) + name.encode()


@lru_cache(maxsize=4096)
def _spec(model: str, version: int, signature: str) -> bytes:
    spec = ModelSpec(name=model, signature_name=signature)
    spec.version.value = version
    raw = spec.SerializeToString()
    return b"\x12" + _varint(len(raw)) + raw


def _values(array: np.ndarray[Any, Any]) -> tuple[Part, ...]:
    kind = tensors.kind_of(array.dtype)
    if not array.size:
        return ()
    if kind is not tensors.STRING:
        memory = _as_on_the_wire(np.ascontiguousarray(array).reshape(-1), kind)
        if memory is not None:
            return (_tag(kind.field), _varint(len(memory)), memory)
    fields = tensors.encode(array, typed=True)
    fields.ClearField("dtype")
    fields.ClearField("tensor_shape")
    return (fields.SerializeToString(),)


def _as_on_the_wire(flat: np.ndarray[Any, Any], kind: tensors.Kind) -> np.ndarray[Any, Any] | None:
    """The bytes that protobuf would write for these values, where numpy has them."""
    if kind.field in _AS_IN_MEMORY:
        return flat.astype(kind.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    if kind.dtype.kind == "b":
        return flat.view(np.uint8)
    if kind.dtype.kind in "iu" and flat.max() < _ONE_BYTE and flat.min() >= 0:
        return flat.astype(np.uint8)
    return None


@lru_cache(maxsize=32)
def _tag(field: str) -> bytes:
    return _varint(TensorProto.DESCRIPTOR.fields_by_name[field].number << 3 | 2)


@lru_cache(maxsize=4096)
def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)
