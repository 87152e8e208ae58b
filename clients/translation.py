"""What TensorFlow Serving's codes and texts mean, as one of our errors that says what to do."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import grpc

from clients import errors
from clients.errors import ClientError

Code = grpc.StatusCode


class Rule(NamedTuple):
    """Texts of one code that mean one thing; a remedy of its own where the error's is too general."""

    code: grpc.StatusCode
    pattern: str
    kind: type[ClientError]
    remedy: str = ""


# gRPC's words for an address where nothing listens, or that nobody has
_NOBODY: Final = r"(?i).*(failed to connect|resol|refused|unreachable)"
_BAD, _MISSING = Code.INVALID_ARGUMENT, Code.NOT_FOUND

# the first that fits counts; measured on TensorFlow Serving 2.17.1
RULES: Final = (
    # what is served; NOT_FOUND is explained further by asking for the model's status
    Rule(_MISSING, r"Servable not found for request: ", errors.NotServed),
    Rule(_MISSING, r"Could not find any versions of model ", errors.UnknownModel),
    Rule(_MISSING, r"Could not find version -?\d+ of model ", errors.UnknownVersion),
    Rule(_BAD, r"Unrecognized servable version label: ", errors.UnknownLabel),
    Rule(Code.FAILED_PRECONDITION, r"Serving signature key .* not found", errors.UnknownSignature),
    Rule(_BAD, r"No signature was found with the name: ", errors.UnknownSignature),
    # the inputs
    Rule(_BAD, r"input size does not match signature: ", errors.WrongNames, "send exactly the inputs of the signature"),
    Rule(_BAD, r"Signature input alias: .* not found in request", errors.WrongNames, "send the inputs by these names"),
    Rule(_BAD, r"Expects arg\[\d+\] to be ", errors.WrongType),
    Rule(_BAD, r"Batching Run\(\) input tensors must have ", errors.WrongBatch),
    Rule(_BAD, r"Task size \d+ is larger than maximum input batch size \d+", errors.WrongBatch, "send smaller batches"),
    Rule(_BAD, r"(output tensor alias not found|duplicate output tensor alias)", errors.WrongOutputs),
    Rule(_BAD, r"tensor parsing error: ", errors.Malformed, "send sizes of 0 or more, a known type, and all the bytes"),
    # the message itself
    Rule(_BAD, r"(Missing ModelSpec|ModelSpec has no name specified)", errors.Malformed, "name a model"),
    Rule(_BAD, r"GetModelMetadataRequest must specify", errors.Malformed, "ask for the metadata field signature_def"),
    Rule(_BAD, r"Metadata field .* is not supported", errors.Malformed, "ask for the metadata field signature_def"),
    Rule(_BAD, r"All ModelSpecs in a MultiInferenceRequest", errors.Malformed, "ask one model at a time"),
    Rule(_BAD, r"Duplicate evaluation of signature: ", errors.Malformed, "ask for each signature once"),
    # Classify, Regress and MultiInference
    Rule(_BAD, r"No (classification|regression) (inputs|outputs) found in SignatureDef", errors.WrongMethod),
    Rule(_BAD, r"Expected (classification|regression) signature outputs to contain", errors.WrongMethod),
    Rule(Code.UNIMPLEMENTED, r"Unsupported signature method_name: ", errors.WrongMethod),
    Rule(_BAD, r"Input is empty", errors.BadExample, "send at least one tf.Example"),
    Rule(_BAD, r"Could not parse example input", errors.BadExample),
    Rule(_BAD, r"Name: .*, (Feature|Key): ", errors.BadExample),
    # new configs
    Rule(_BAD, r"ServerModelConfig type not supported", errors.ReloadRefused, "send a model_config_list"),
    Rule(_BAD, r"Expected model .* to have an absolute path", errors.ReloadRefused, "give its base_path from / on"),
    Rule(
        _BAD,
        r"Illegal setting neither ModelServerConfig::model_type",
        errors.ReloadRefused,
        'it refuses every later config too, so restart it with model_platform: "tensorflow" in every entry',
    ),
    Rule(_BAD, r"Model .* requests unsupported platform", errors.ReloadRefused, 'use model_platform: "tensorflow"'),
    Rule(_BAD, r"Illegal to list model .* multiple times", errors.ReloadRefused, "list every model once"),
    Rule(_BAD, r"Illegal to change a model's platform", errors.ReloadRefused, "serve it under another name"),
    Rule(
        Code.FAILED_PRECONDITION,
        r"Request to assign label to version",
        errors.ReloadRefused,
        "label versions that are AVAILABLE, or start it with --allow_version_labels_for_unavailable_models",
    ),
    Rule(Code.UNKNOWN, r"\d+ (model|servable)\(s\) did not become available", errors.LoadFailed),
    # the server's load
    Rule(Code.UNAVAILABLE, r"The batch scheduling queue .* is full", errors.ServerBusy),
    Rule(Code.RESOURCE_EXHAUSTED, r"Server Threadpool Exhausted", errors.ServerBusy),
    # the connection
    Rule(Code.UNAVAILABLE, r".*WRONG_VERSION_NUMBER", errors.TlsFailed, "leave --tls away, as it answers without"),
    Rule(Code.UNAVAILABLE, r"(?i).*(ssl|tls|certificate|handshake)", errors.TlsFailed),
    Rule(Code.UNAVAILABLE, _NOBODY, errors.ServerUnavailable),
    Rule(
        Code.UNAVAILABLE,
        r"",
        errors.ServerUnavailable,
        "ask again, and if the server speaks TLS, with --tls, or with --cert and --key if it wants to know who asks",
    ),
    # the rest of a code
    Rule(Code.DEADLINE_EXCEEDED, r"", errors.DeadlineExceeded),
    Rule(_MISSING, r"", errors.NotServed),
    Rule(_BAD, r"", errors.BadRequest),
    Rule(Code.FAILED_PRECONDITION, r"", errors.BadRequest),
    Rule(Code.RESOURCE_EXHAUSTED, r".*larger than max", errors.BadRequest, "send smaller batches"),
    Rule(Code.RESOURCE_EXHAUSTED, r"", errors.ServerBusy),
    Rule(Code.UNIMPLEMENTED, r"", errors.NotSupported),
)
_BY_CODE: Final = MappingProxyType({code: [rule for rule in RULES if rule.code is code] for code in Code})


def from_grpc(server: str, error: Any) -> ClientError:
    """Our error for one of gRPC's, which stays its cause."""
    ours = from_status(server, error.code(), error.details() or "")
    ours.__cause__ = error
    return ours


def from_status(server: str, code: grpc.StatusCode, text: str) -> ClientError:
    """Our error for a status other than OK."""
    found = next((rule for rule in _BY_CODE[code] if re.match(rule.pattern, text, re.DOTALL)), None)
    kind, remedy = (found.kind, found.remedy or found.kind.remedy) if found else (errors.ServerFailed, "")
    ours = kind(f"{_told(server, kind, code, text)}; {remedy or kind.remedy}")
    ours.code = code.name
    return ours


def _told(server: str, kind: type[ClientError], code: grpc.StatusCode, text: str) -> str:
    details = " ".join(text.split()) or "no details"
    if kind is errors.ServerUnavailable:
        broken = f"the connection to {server} broke ({details})"
        return f"no server answers at {server}" if re.match(_NOBODY, text) else broken
    return f"{server} answered {code.name}: {details}"
