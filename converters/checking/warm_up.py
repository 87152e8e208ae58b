"""Requests on file, as the stock server plays them to a version before it answers others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.lib.io._pywrap_record_io import RecordIterator
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

# with more the stock server refuses to load the version
MOST = 1000


@dataclass(frozen=True)
class Request:
    """One call of a signature.

    Attributes:
        origin: where the inputs came from, in words.
    """

    signature: str
    batch_size: int
    inputs: Arrays
    origin: str


def write(requests: Iterable[Request], model: str, path: Path) -> None:
    """Write a TFRecord of PredictionLog; what is over the server's limit is left out."""
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in islice(requests, MOST):
            writer.write(_log(request, model).SerializeToString())


def read(path: Path) -> Iterator[tuple[str, Arrays]]:
    """Signature and inputs of every request in such a file."""
    for record in RecordIterator(str(path), ""):  # what is public would set a pipeline up, which takes longer
        request = PredictionLog.FromString(record).predict_log.request
        yield request.model_spec.signature_name, {name: tf.make_ndarray(each) for name, each in request.inputs.items()}


def _log(request: Request, model: str) -> Any:
    log = PredictionLog()
    spec = log.predict_log.request.model_spec
    spec.name, spec.signature_name = model, request.signature
    for name, array in request.inputs.items():
        log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    return log
