"""What a version's folder takes and gives, read without TensorFlow."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError

from clients.spec import DEFAULT_SIGNATURE, plain_signature
from clients.wire import serving_pb2 as wire
from model_config.errors import SuiteError, near_miss
from model_config.signatures import Signature

_SERVE = "serve"


def signature(folder: Path, name: str = "") -> Signature:
    """A signature of a SavedModel (``serving_default`` when the name is empty); SuiteError when it has none."""
    path = folder / "saved_model.pb"
    try:
        content = path.read_bytes()
        graphs = wire.SavedModel.FromString(content).meta_graphs
    except OSError as error:
        raise SuiteError(f"{folder} is no version's folder: it has no saved_model.pb that can be read") from error
    except DecodeError as error:
        raise SuiteError(f"{path} is damaged; build the version again") from error
    served = [graph.signature_def for graph in graphs if _SERVE in graph.meta_info_def.tags]
    known = served[0] if served else {}
    if (name or DEFAULT_SIGNATURE) not in known:
        raise SuiteError(f"{folder} has no signature {(name or DEFAULT_SIGNATURE)!r}; {near_miss(name, known)}")
    return plain_signature(known[name or DEFAULT_SIGNATURE])
