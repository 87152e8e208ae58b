"""Inputs that fit a signature: real pictures where it takes pictures, seeded random values elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from converters import graphs
from converters.checking import pictures, strings
from converters.checking.warm_up import Request
from model_config.errors import SuiteError
from model_config.signatures import Signature, Tensor

Array = np.ndarray[Any, Any]

RANDOM = "random values"

# sizes that a signature leaves open
_SIDE = 320
_LENGTH = 16


class NotInvented(SuiteError):
    """No input can be made that the model would understand; the sentence says why."""


def batch_sizes(signature: Signature, declared: Sequence[int]) -> tuple[int, ...]:
    """The sizes the model can be asked with: those declared, or the one it is made for."""
    batches = [tensor for tensor in signature.inputs.values() if not _is_one_picture(tensor)]
    if any(tensor.shape is None or tensor.shape[:1] == (None,) for tensor in batches):
        return tuple(sorted(set(declared)))
    if any(tensor.shape == () for tensor in batches):  # which no batch could bring along
        return (1,)
    return (max((tensor.shape[0] or 1 for tensor in batches if tensor.shape), default=1),)


def request(meta: Any, key: str, batch_size: int, data: Path | None, sides: tuple[int, int] | None = None) -> Request:
    """A call of a MetaGraphDef's signature; NotInvented where nothing sensible can be sent.

    Args:
        data: a folder with pictures such as the model will be asked with, if there is one.
        sides: height and width of pictures, where the signature leaves them open and it matters.
    """
    content = _Content(meta.graph_def, pictures.find(data, batch_size), sides)
    signature = graphs.plain(meta.signature_def[key])
    arrays = {name: content.array(name, tensor, batch_size) for name, tensor in signature.inputs.items()}
    return Request(key, batch_size, arrays, f"pictures from {data}" if content.real else RANDOM)


@dataclass
class _Content:
    """What fills the inputs of one request, and whether real pictures did."""

    graph_def: Any
    files: Sequence[Path]
    sides: tuple[int, int] | None = None
    draw: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    real: bool = False

    def array(self, name: str, tensor: Tensor, batch_size: int) -> Array:
        shape = full_shape(_closed(tensor, self.sides), batch_size)
        if tensor.dtype == "string":
            return self._strings(name, shape)
        if tensor.dtype == "uint8" and self.files and len(shape) in (3, 4) and shape[-1] == 3:
            return self._pictures(_closed(tensor, self.sides), shape)
        return _random(self.draw, name, tensor.dtype, shape)

    def _pictures(self, tensor: Tensor, shape: tuple[int, ...]) -> Array:
        self.real = True
        height, width = tensor.shape[-3:-1] if tensor.shape else (None, None)
        filled = pictures.batch(self.files, shape[0] if len(shape) == 4 else 1, height, width)
        return filled if len(shape) == 4 else filled[0]

    def _strings(self, name: str, shape: tuple[int, ...]) -> Array:
        count = int(np.prod(shape))
        shown = [path.read_bytes() for path in self.files] or [pictures.jpeg(pictures.noise(self.draw, _SIDE))]
        told = strings.encoded(self.graph_def, (shown * count)[:count], self.draw)
        if told is None:
            raise NotInvented(f"the graph does not show what the strings of {name} hold, so none were sent")
        self.real = bool(self.files)
        return np.array(told, np.object_).reshape(shape)


def _is_one_picture(tensor: Tensor) -> bool:
    """A picture without a batch before it: two open sides, then the colours."""
    sizes = tensor.shape or ()
    return len(sizes) == 3 and sizes[:2] == (None, None) and sizes[2] in (1, 3, 4)


def _closed(tensor: Tensor, sides: tuple[int, int] | None) -> Tensor:
    """The tensor with these sides where it takes pictures of any."""
    shape = tensor.shape or ()
    if sides is None or len(shape) < 3 or shape[-3:-1] != (None, None):
        return tensor
    return replace(tensor, shape=(*shape[:-3], *sides, shape[-1]))


def full_shape(tensor: Tensor, batch_size: int) -> tuple[int, ...]:
    """Sizes for all that the signature leaves open."""
    if tensor.shape is None:  # what most models take that do not say
        return (batch_size,) if tensor.dtype == "string" else (batch_size, _SIDE, _SIDE, 3)
    if not tensor.shape:
        return ()
    if _is_one_picture(tensor):
        return (_SIDE, _SIDE, tensor.shape[2] or 3)
    batch, *rest = tensor.shape
    sizes = list(rest)
    if len(rest) == 3 and rest[2] is None and rest[0] not in (1, 3, 4):
        sizes[2] = 3  # a picture's colours
    usual = _SIDE if len(rest) == 3 else _LENGTH
    return (batch or batch_size, *(size or usual for size in sizes))


def _random(draw: np.random.Generator, name: str, dtype: str, shape: tuple[int, ...]) -> Array:
    """Small values: between 0 and 1, or the indices 0 and 1, which nearly every model takes; bytes of a picture."""
    kind = tf.as_dtype(dtype)
    if kind == tf.uint8:
        return draw.integers(0, 256, shape, np.uint8)
    if kind.is_floating or kind.is_complex:
        return np.asarray(draw.random(shape)).astype(kind.as_numpy_dtype)
    if kind.is_integer or kind.is_bool:
        return np.asarray(draw.integers(0, 2, shape)).astype(kind.as_numpy_dtype)
    raise NotInvented(f"no values of type {dtype} can be sent for {name}")
