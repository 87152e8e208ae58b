"""How pictures become a model's input and its outputs become answers, as data of models.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Optional, Union

from pydantic import BaseModel, ConfigDict, Field

Size = Annotated[int, Field(ge=1, strict=True)]
# one number for all channels, or one for each in the order of ``colour``
PerChannel = Union[float, tuple[float, float, float]]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Encode(_Frozen):
    """From pictures (8 bits a channel) to the input: resized, reordered, then ``(pixel - mean) / scale``."""

    # the only one of the signature when left out
    input: Optional[str] = None
    # height and width; what the signature fixes when left out, and where it fixes nothing, each picture's own
    size: Optional[tuple[Size, Size]] = None
    # into that size: distorted, with the edges cut off, or with black around
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    interpolation: Literal["linear", "area", "nearest", "cubic"] = "linear"
    colour: Literal["rgb", "bgr", "grey"] = "rgb"
    # in pixels from 0 to 255: 127.5 and 127.5 give -1 to 1, 0 and 255 give 0 to 1
    mean: PerChannel = 0.0
    scale: PerChannel = 1.0
    # each picture by its own mean and deviation instead, as FaceNet wants it
    per_picture: bool = False
    # batch, height, width, channels; channels before height; or all pixels in one row
    layout: Literal["nhwc", "nchw", "flat"] = "nhwc"
    # where the signature wants strings: a file of this kind, and whether it is written as web-safe base64
    file: Literal["png", "jpg"] = "png"
    base64: bool = False


class Decode(_Frozen):
    """From outputs to answers."""

    # outputs by what they mean (a detector: boxes, scores, classes, number; the others: scores or vector);
    # the usual names, or the only fitting output, when left out
    outputs: Mapping[Literal["boxes", "scores", "classes", "number", "vector"], str] = Field(default={})
    # the number of the first label; when left out 1 for detection and 0 for the others
    first_class: Optional[int] = None
    # what a detector's boxes are: edges in this order, as shares of the input or as its pixels
    boxes: Literal["yxyx", "xyxy"] = "yxyx"
    units: Literal["share", "pixels"] = "share"
    # what turns the scores into probabilities, where the model has not done so itself
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    # how many classes a classification names
    top: Size = 5
    # from which probability on a class counts as present in a multi-label answer
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    # embeddings get the length 1, so that their products are cosines
    normalise: bool = True
