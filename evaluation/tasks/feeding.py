"""Tensors as a data set holds them become the inputs of a signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import ml_dtypes
import numpy as np

from evaluation.tasks.placing import Placement, placed
from model_config.errors import SuiteError
from model_config.signatures import Signature, Tensor

Array = np.ndarray[Any, Any]
Tensors = Mapping[str, Array]

# types that numpy has under another name
_OWN: Final[Mapping[str, Any]] = MappingProxyType({"bfloat16": ml_dtypes.bfloat16, "string": np.object_})
# where what is no picture lies, for those who want to be told
NOWHERE = placed((1, 1), None, "stretch")


@dataclass(frozen=True)
class Feed:
    """The way from examples to inputs: stacked, in the type that the signature wants."""

    signature: Signature

    def encode(self, examples: Sequence[Tensors]) -> tuple[dict[str, Array], list[Placement]]:
        """A batch of examples as inputs by name; the places mean nothing, as there are no pictures."""
        inputs = {name: self._stacked(name, wanted, examples) for name, wanted in self.signature.inputs.items()}
        return inputs, [NOWHERE] * len(examples)

    def _stacked(self, name: str, wanted: Tensor, examples: Sequence[Tensors]) -> Array:
        found = np.stack([_of(name, example, len(self.signature.inputs)) for example in examples])
        return found.astype(_OWN.get(wanted.dtype, wanted.dtype), copy=False)


def _of(name: str, example: Tensors, inputs: int) -> Array:
    if name in example:
        return example[name]
    if inputs == 1 and len(example) == 1:
        return next(iter(example.values()))
    raise SuiteError(f"the data holds {', '.join(example)}, but not the input {name}; name its arrays as the inputs")
