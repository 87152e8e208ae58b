"""Where a picture lies in a network's input: the way there for pixels, the way back for boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np

from evaluation.pictures import Picture

Size = tuple[int, int]  # height, width

INTERPOLATIONS: Final[Mapping[str, int]] = MappingProxyType(
    {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "nearest": cv2.INTER_NEAREST, "cubic": cv2.INTER_CUBIC}
)
# whether the smaller or the larger of the two factors is used for both sides, so that nothing is distorted
_FACTORS: Final[Mapping[str, Callable[[float, float], float]]] = MappingProxyType({"pad": min, "crop": max})


@dataclass(frozen=True)
class Placement:
    """A picture within an input, all in pixels as (vertical, horizontal).

    Attributes:
        picture: its size.
        resized: its size within the input.
        frame: the input's size.
        offset: where its upper left corner lies in the input; negative where its edges are cut off.
    """

    picture: Size
    resized: Size
    frame: Size
    offset: tuple[int, int]

    def back(self, edges: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Boxes [n, 4] (ymin, xmin, ymax, xmax) from pixels of the input to pixels of the picture."""
        scale = (self.picture[0] / self.resized[0], self.picture[1] / self.resized[1])
        return np.asarray((edges - (self.offset * 2)) * (scale * 2))

    def put(self, picture: Picture, interpolation: str) -> Picture:
        """The picture as the input shows it, [height, width, 3]; black where it does not reach."""
        height, width = self.resized
        if self.resized != self.picture:
            resized = cv2.resize(picture, (width, height), interpolation=INTERPOLATIONS[interpolation])
            picture = np.asarray(resized, np.uint8)
        if self.resized == self.frame:
            return picture
        canvas = np.zeros((*self.frame, picture.shape[2]), np.uint8)
        there, here = zip(*(_overlap(*sides) for sides in zip(self.offset, self.resized, self.frame)))
        canvas[there] = picture[here]
        return canvas


def placed(picture: Size, frame: Size | None, fit: str) -> Placement:
    """How a picture fits into an input of a fixed size; where the input has none, as it is."""
    if frame is None:
        return Placement(picture, picture, picture, (0, 0))
    if fit == "stretch":
        return Placement(picture, frame, frame, (0, 0))
    factor = _FACTORS[fit](frame[0] / picture[0], frame[1] / picture[1])
    height, width = (max(1, round(side * factor)) for side in picture)
    return Placement(picture, (height, width), frame, ((frame[0] - height) // 2, (frame[1] - width) // 2))


def _overlap(offset: int, size: int, frame: int) -> tuple[slice, slice]:
    """The part of one side that both have: in the frame, and in what is put there."""
    start, end = max(offset, 0), min(offset + size, frame)
    return slice(start, end), slice(start - offset, end - offset)
