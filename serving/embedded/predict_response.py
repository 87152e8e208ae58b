"""A PredictResponse as bytes: the stock server's typed fields, written from the arrays' own memory where they match."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Union

import numpy as np

from clients.wire import tensors
from clients.wire.serving_pb2 import DataType, ModelSpec, TensorProto, TensorShapeProto

# of these a repeated number lies on the wire as it lies in memory
_AS_IN_MEMORY = frozenset(map(np.dtype, ("<f4", "<f8", "<c8", "<c16")))
_DELIMITED = 2
_ONE_BYTE = 128  # smaller whole numbers take one byte on the wire

# arrays are joined by their memory
Part = Union[bytes, Any]


def write(outputs: Mapping[str, np.ndarray[Any, Any]], model: str, version: int, signature: str) -> bytes:
    """The message for arrays by output name, with what gave them."""
    parts: list[Part] = []
    for name, array in outputs.items():
        if array.dtype in _AS_IN_MEMORY and array.size:
            parts += (_before(name, array.dtype, array.shape), np.ascontiguousarray(array))
        else:
            values = _values(array)
            parts += (_opening(name, array.dtype, array.shape, len(values)), values)
    parts.append(_spec(model, version, signature))
    return b"".join(parts)


@lru_cache(maxsize=4096)
def _before(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """All that stands before values that are sent as they lie in memory; an output has few shapes over its life."""
    size = math.prod(shape) * dtype.itemsize
    block = _block(tensors.kind_of(dtype), size)
    return _opening(name, dtype, shape, len(block) + size) + block


def _opening(name: str, dtype: np.dtype[Any], shape: tuple[int, ...], size: int) -> bytes:
    """The name, and a tensor's type and shape before ``size`` bytes of values."""
    head, key = _head(dtype, shape), _key(name)
    tensor = b"\x12" + _varint(len(head) + size)
    return b"\x0a" + _varint(len(key) + len(tensor) + len(head) + size) + key + tensor + head


@lru_cache(maxsize=4096)
def _head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
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


def _values(array: np.ndarray[Any, Any]) -> bytes:
    kind = tensors.kind_of(array.dtype)
    if not array.size:
        return b""
    if kind.dtype.kind in "biu" and array.max() < _ONE_BYTE and array.min() >= 0:
        values = array.astype(np.uint8).tobytes()
        return _block(kind, len(values)) + values
    fields = tensors.encode(array, typed=True)
    fields.ClearField("dtype")
    fields.ClearField("tensor_shape")
    return bytes(fields.SerializeToString())


def _block(kind: tensors.Kind, size: int) -> bytes:
    """What stands before so many bytes of values in their typed field."""
    return _varint(TensorProto.DESCRIPTOR.fields_by_name[kind.field].number << 3 | _DELIMITED) + _varint(size)


@lru_cache(maxsize=4096)
def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)
