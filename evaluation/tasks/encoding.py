"""Pictures become the input that a signature wants, as models.yaml describes the way."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import ml_dtypes
import numpy as np

from evaluation import pictures as files
from evaluation.pictures import Picture
from evaluation.tasks.placing import Placement, Size, placed
from model_config.errors import SuiteError, near_miss
from model_config.signatures import Signature, Tensor
from model_config.tasks import Encode

Array = np.ndarray[Any, Any]

_STRING = "string"
# what the layouts call their dimensions; the batch comes first in all
_AXES = {"nhwc": "hwc", "nchw": "chw", "flat": "p"}


@dataclass(frozen=True)
class Encoder:
    """The way from pictures to one input.

    Attributes:
        name: the input's.
        dtype: TensorFlow's name of its type.
        frame: height and width that every picture gets; None where each keeps its own.
    """

    name: str
    dtype: str
    frame: Size | None
    how: Encode

    def encode(self, pictures: Sequence[Picture]) -> tuple[dict[str, Array], list[Placement]]:
        """A batch of pictures (uint8 RGB) as inputs by name, and where each of them lies in there."""
        places = [placed((each.shape[0], each.shape[1]), self.frame, self.how.fit) for each in pictures]
        put = [place.put(each, self.how.interpolation) for place, each in zip(places, pictures)]
        if self.dtype == _STRING:
            batch = np.array([_content(each, self.how) for each in put], np.object_)
        else:
            _require_one_size(places)
            coloured = [_coloured(each, self.how.colour) for each in put]
            # a single picture is not copied
            batch = self._numbers(np.stack(coloured) if len(coloured) > 1 else coloured[0][None])
        return {self.name: batch}, places

    def _numbers(self, pixels: Array) -> Array:
        """Pixels [batch, height, width, channels] in the type, range and layout of the input."""
        values = _normalised(pixels, self.how)
        dtype = np.dtype(ml_dtypes.bfloat16 if self.dtype == "bfloat16" else self.dtype)
        if values.dtype != dtype and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            values = np.clip(np.rint(values), limits.min, limits.max)
        values = values.astype(dtype, copy=False)
        if self.how.layout == "nchw":
            return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        return values.reshape(len(values), -1) if self.how.layout == "flat" else values


def encoder(signature: Signature, how: Encode) -> Encoder:
    """The way to a signature's input; SuiteError says what models.yaml would have to tell, or what does not fit."""
    name = _input_name(signature, how)
    wanted = signature.inputs[name]
    if wanted.dtype == _STRING:
        return Encoder(name, _STRING, how.size, how)
    _require_picture(name, wanted, how)
    frame = how.size or _fixed(wanted, how)
    if frame is None and how.layout == "flat":
        raise SuiteError(f"input {name} takes pictures as rows of pixels; say their height and width in encode.size")
    return Encoder(name, wanted.dtype, frame, how)


def _input_name(signature: Signature, how: Encode) -> str:
    names = list(signature.inputs)
    if how.input is not None:
        if how.input not in names:
            raise SuiteError(f"encode.input: there is no input {how.input!r}; {near_miss(how.input, names)}")
        return how.input
    if len(names) != 1:
        raise SuiteError(
            f"the signature has the inputs {', '.join(names)}; say in encode.input which takes the picture"
        )
    return names[0]


def _require_picture(name: str, wanted: Tensor, how: Encode) -> None:
    """Refuse an input that can take no such picture, whatever its content."""
    axes = _AXES[how.layout]
    came = f"{wanted.dtype} {list(wanted.shape) if wanted.shape is not None else 'of any shape'}"
    if wanted.dtype not in {
        "uint8",
        "int8",
        "uint16",
        "int16",
        "int32",
        "int64",
        "bfloat16",
        "float16",
        "float32",
        "float64",
    }:
        raise SuiteError(f"input {name} is {came}, which takes no pictures; say in encode.input which does")
    if wanted.shape is None:
        return
    if len(wanted.shape) != 1 + len(axes):
        raise SuiteError(f"input {name} is {came}, which takes no pictures of layout {how.layout}; see encode.layout")
    if "c" in axes:
        channels, given = wanted.shape[1 + axes.index("c")], 1 if how.colour == "grey" else 3
        if channels not in (None, given):
            raise SuiteError(f"input {name} is {came}, but pictures come with {given} channels; see encode.colour")


def _fixed(wanted: Tensor, how: Encode) -> Size | None:
    """Height and width as the signature fixes them."""
    axes = _AXES[how.layout]
    if wanted.shape is None or "h" not in axes:
        return None
    height, width = (wanted.shape[1 + axes.index(axis)] for axis in "hw")
    return None if height is None or width is None else (height, width)


def _require_one_size(places: Sequence[Placement]) -> None:
    sizes = sorted({place.frame for place in places})
    if len(sizes) > 1:
        raise SuiteError(f"pictures of one batch must have one size, not {', '.join(f'{w}x{h}' for h, w in sizes)}")


def _coloured(picture: Picture, colour: str) -> Picture:
    if colour == "grey":
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)[:, :, None]
    return picture[:, :, ::-1] if colour == "bgr" else picture


def _normalised(pixels: Array, how: Encode) -> Array:
    """``(pixel - mean) / scale`` in single precision; whole numbers that stay what they are stay untouched."""
    if how.per_picture:
        values = pixels.astype(np.float32)
        axes = tuple(range(1, pixels.ndim))
        # never by less than the deviation of rounding, which a picture of one colour would be divided by
        least = 1 / np.sqrt(pixels[0].size)
        deviation = np.maximum(values.std(axes, keepdims=True), least)
        return np.asarray((values - values.mean(axes, keepdims=True)) / deviation, np.float32)
    mean, scale = (np.asarray(each, np.float32) for each in (how.mean, how.scale))
    if not mean.any() and (scale == 1).all():
        return pixels
    return np.asarray((pixels - mean) / scale, np.float32)


def _content(picture: Picture, how: Encode) -> bytes:
    content = files.encode(picture, f".{how.file}")
    return base64.urlsafe_b64encode(content) if how.base64 else content
