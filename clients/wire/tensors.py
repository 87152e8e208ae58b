"""numpy arrays to TensorProto and back, for every numeric type, bool and strings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import ml_dtypes
import numpy as np

from clients.wire.serving_pb2 import TensorProto


class Kind(NamedTuple):
    """How one TensorFlow data type looks in numpy and in the typed fields of a TensorProto."""

    number: int  # the DataType enum's value
    dtype: np.dtype[Any]
    field: str  # the repeated field that carries single values
    stored: np.dtype[Any]  # how that field holds a value; complex numbers take two


def _kind(number: int, dtype: Any, field: str, stored: Any = None) -> Kind:
    return Kind(number, np.dtype(dtype), field, np.dtype(dtype if stored is None else stored))


KINDS: Final = (
    _kind(1, np.float32, "float_val"),
    _kind(2, np.float64, "double_val"),
    _kind(3, np.int32, "int_val"),
    _kind(4, np.uint8, "int_val"),
    _kind(5, np.int16, "int_val"),
    _kind(6, np.int8, "int_val"),
    _kind(7, np.object_, "string_val"),
    _kind(8, np.complex64, "scomplex_val", np.float32),
    _kind(9, np.int64, "int64_val"),
    _kind(10, np.bool_, "bool_val"),
    _kind(14, ml_dtypes.bfloat16, "half_val", np.uint16),
    _kind(17, np.uint16, "int_val"),
    _kind(18, np.complex128, "dcomplex_val", np.float64),
    _kind(19, np.float16, "half_val", np.uint16),
    _kind(22, np.uint32, "uint32_val"),
    _kind(23, np.uint64, "uint64_val"),
)
# read as the plain integers they are; numpy has no type that would be sent as one of these
_QUANTIZED: Final = (
    _kind(11, np.int8, "int_val"),
    _kind(12, np.uint8, "int_val"),
    _kind(13, np.int32, "int_val"),
    _kind(15, np.int16, "int_val"),
    _kind(16, np.uint16, "int_val"),
)
BY_NUMBER: Final[Mapping[int, Kind]] = MappingProxyType({kind.number: kind for kind in KINDS + _QUANTIZED})
BY_DTYPE: Final[Mapping[np.dtype[Any], Kind]] = MappingProxyType({kind.dtype: kind for kind in KINDS})
STRING: Final = BY_NUMBER[7]
# these fields are wider than some of the types they carry; the upper bits mean nothing
_FIELDS: Final = MappingProxyType({"int_val": np.int32, "half_val": np.int32})


def kind_of(dtype: np.dtype[Any]) -> Kind:
    """The TensorFlow type of a numpy type, whatever its byte order; TypeError when there is none."""
    if dtype.kind in "SU":
        return STRING
    try:
        return BY_DTYPE[dtype.newbyteorder("=")]
    except KeyError:
        raise TypeError(f"TensorFlow has no type for numpy's {dtype}") from None


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """What numpy makes of a value, with strings kept whole: its own end before their last zero bytes."""
    leaf = value
    while isinstance(leaf, (list, tuple)) and leaf:
        leaf = leaf[0]
    return np.array(value, np.object_) if isinstance(leaf, (bytes, str)) else np.asarray(value)


def encode(array: Any, into: Any = None, *, typed: bool = False) -> Any:
    """Write an array of any shape into a TensorProto: a new one of ours, or ``into``, ours or TensorFlow's.

    Numbers travel as one block of bytes (a single one in its typed field, as TensorFlow's own clients
    write it), or all in the typed fields (``typed``), as the stock server answers. Strings are ``bytes``
    or ``str`` (sent as UTF-8).
    """
    array = as_array(array)
    kind = kind_of(array.dtype)
    proto = TensorProto() if into is None else into
    proto.dtype = kind.number
    proto.tensor_shape.SetInParent()  # a scalar's shape is present and empty, as TensorFlow writes it
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if kind is STRING:
        proto.string_val.extend(_as_bytes(item) for item in array.ravel())
    elif typed or array.size == 1:
        native = np.ascontiguousarray(array, kind.dtype).reshape(-1)
        getattr(proto, kind.field).extend(native.view(kind.stored).tolist())
    else:
        # the wire is little-endian whatever this machine is
        proto.tensor_content = array.astype(kind.dtype.newbyteorder("<"), copy=False).tobytes()
    return proto


def _as_bytes(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, bytes):
        return item
    raise TypeError(f"a string tensor holds bytes or str, not {type(item).__name__}")


def decode(proto: Any) -> np.ndarray[Any, Any]:
    """Read a TensorProto (ours or TensorFlow's): numbers in their numpy type, strings as objects (``bytes``).

    Arrays that came as one block of bytes are views of the message and read-only. Fewer values than
    the shape asks for repeat the last one, as in TensorFlow. ValueError when the message makes no tensor.
    """
    kind = BY_NUMBER.get(proto.dtype)
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if kind is None or proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError(f"not a tensor: data type {proto.dtype}, shape {shape}")
    if proto.tensor_content:
        flat = np.frombuffer(proto.tensor_content, kind.dtype.newbyteorder("<"))
        return flat.astype(kind.dtype, copy=False).reshape(shape)
    return filled(_typed_values(proto, kind), math.prod(shape)).reshape(shape)


def _typed_values(proto: Any, kind: Kind) -> np.ndarray[Any, Any]:
    field = getattr(proto, kind.field)
    if kind is STRING:
        values = np.empty(len(field), np.object_)
        values[:] = field
        return values
    values = np.fromiter(field, _FIELDS.get(kind.field, kind.stored), len(field))
    return values.astype(kind.stored, copy=False).view(kind.dtype)


def filled(values: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """So many values: the last one repeated where there are fewer, as TensorFlow fills a tensor."""
    if len(values) >= size:
        return values[:size]
    last = values[-1] if len(values) else b"" if values.dtype == np.object_ else 0
    return np.concatenate([values, np.full(size - len(values), last, values.dtype)])
