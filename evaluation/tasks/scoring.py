"""What the tasks that end in one row of scores a picture share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.errors import BadAnswer
from model_config.errors import SuiteError
from model_config.signatures import Signature
from model_config.tasks import Decode

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]


def output_name(signature: Signature, how: Decode, role: str) -> str:
    """The output that plays a role; SuiteError when models.yaml has to say which."""
    names = list(signature.outputs)
    given = how.outputs.get(role)  # type: ignore[call-overload]  # a role is one of its keys
    if given is not None:
        if given not in names:
            raise SuiteError(f"decode.outputs.{role}: there is no output {given!r}, only {', '.join(names)}")
        return str(given)
    floats = [name for name, each in signature.outputs.items() if each.dtype.startswith(("float", "bfloat"))]
    if len(floats) != 1:
        raise SuiteError(f"the signature gives {', '.join(names)}; say in decode.outputs.{role} which are the {role}")
    return floats[0]


def rows(outputs: Arrays, name: str, pictures: int) -> Array:
    """An output as one row of numbers a picture; BadAnswer when it cannot be that."""
    if name not in outputs:
        raise BadAnswer(f"the answer lacks output {name}")
    found = outputs[name]
    if found.ndim < 2 or len(found) != pictures:
        raise BadAnswer(
            f"output {name} came as {list(found.shape)}, which is not one row for each of {pictures} pictures"
        )
    values = found.reshape(pictures, -1).astype(np.float64)
    if not np.isfinite(values).all():
        raise BadAnswer(f"output {name} holds NaN or infinite numbers")
    return values


def probabilities(scores: Array, activation: str) -> Array:
    """Scores [batch, classes] after what the model left out: ``softmax``, ``sigmoid`` or nothing."""
    if activation == "softmax":
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    if activation == "sigmoid":
        # the same formula, turned so that no power overflows
        return np.asarray(np.where(scores >= 0, 1, np.exp(-np.abs(scores))) / (1 + np.exp(-np.abs(scores))))
    return scores
