"""What a servable takes and gives; plain values, so that a client learns it without pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Tensor:
    """One input or output: TensorFlow's name of the type, and its sizes (None: any; no shape: any rank)."""

    dtype: str
    shape: Optional[tuple[Optional[int], ...]]


@dataclass(frozen=True)
class Signature:
    """What a servable takes and gives."""

    method_name: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
