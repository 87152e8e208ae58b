"""One real request to a version: the first it was warmed up with, or where there is none one made of its signature."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from clients import recorded
from clients.client import Client, predict_request
from clients.errors import BadRequest
from model_config import base_path
from model_config.signatures import Tensor

# what a size that may be anything becomes: one example, pictures large enough to be resized and pooled
_BATCH, _SIZE = 1, 64
_DEFAULT = "serving_default"


def ask(client: Client, model: str, number: int, folder: Path | None) -> None:
    """Return when the version has answered; the errors of ``Client.predict`` tell why it has not.

    Args:
        folder: the version's own, with its warm-up records; None where it is not on this machine.
    """
    path = folder / base_path.WARM_UP if folder else None
    first = next(recorded.requests(path), None) if path and path.is_file() else None
    if first is not None:
        first.model_spec.name = model
        first.model_spec.version.value = number
        client.ask(first)
        return
    signatures = client.metadata(model, number).signatures
    name = _DEFAULT if _DEFAULT in signatures else min(signatures)
    inputs = {alias: _zeros(tensor) for alias, tensor in signatures[name].inputs.items()}
    with suppress(BadRequest):  # the version itself refuses what we made up, so it is there and answers
        client.ask(predict_request(model, inputs, version=number, signature=name))


def _zeros(tensor: Tensor) -> np.ndarray[Any, Any]:
    sizes = [_BATCH if place == 0 else _SIZE for place in range(len(tensor.shape or ()))]
    shape = tuple(size if known is None else known for size, known in zip(sizes, tensor.shape or ()))
    if tensor.dtype == "string":
        return np.full(shape, b"", object)
    return np.zeros(shape, np.dtype(tensor.dtype))
