"""Warm-up records: requests that travel with a version and are played to it before it answers others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from model_config import base_path
from serving.embedded import examples, model_spec, predict_request, refusals

if TYPE_CHECKING:
    from serving.embedded.loading import Loaded

_MOST = 1000


def play(loaded: Loaded, folder: Path) -> int:
    """Ask a version everything that its records say, whatever model they name; how many there were.

    Raises:
        Refusal: there are too many, or one is none.
        tf.errors.OpError: the version refused one.
    """
    path = folder / base_path.WARM_UP
    if not path.exists():
        return 0
    number = 0
    for number, record in enumerate(islice(_records(path), _MOST + 1), start=1):
        if number > _MOST:
            raise refusals.invalid(f"Number of warmup records exceeds the maximum ({_MOST}) at {path}")
        _play(loaded, record, path)
    return number


def _records(path: Path) -> Iterator[bytes]:
    yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()


def _play(loaded: Loaded, record: bytes, path: Path) -> None:
    try:
        log = PredictionLog.FromString(record)
    except DecodeError as error:
        raise refusals.invalid(f"Failed to parse warmup record: {path}") from error
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = predict_request.read(_named(log.predict_log.request).SerializeToString())
        loaded.predict(loaded.signature(request.spec.signature), request.inputs, request.outputs)
    elif kind in ("classify_log", "regress_log"):
        request = _named(getattr(log, kind).request)
        ask = examples.classify if kind == "classify_log" else examples.regress
        ask(loaded, request.model_spec.signature_name or model_spec.DEFAULT_SIGNATURE, request.input, None)
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        examples.multi_inference(loaded, "", 0, request, None)
    else:
        raise refusals.Refusal(refusals.UNIMPLEMENTED, f"Unsupported log_type for warmup: {log.log_metadata} in {path}")


def _named(request: Any) -> Any:
    """A record may leave the model's name out, as the version is given."""
    request.model_spec.name = request.model_spec.name or "any"
    return request
