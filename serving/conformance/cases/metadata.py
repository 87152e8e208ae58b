"""GetModelMetadata and GetModelStatus, as the real server answered."""

from __future__ import annotations

from tensorflow_serving.apis import get_model_metadata_pb2

from serving.conformance.case import Bench, case, rows
from serving.conformance.questions import metadata, status

_ONE = "model_version_status { version: 1 state: AVAILABLE status { } }"
_BOTH = "model_version_status { version: 2 state: AVAILABLE status { } } " + _ONE

rows(
    "GetModelMetadata",
    {
        "no field": (
            metadata("dense", []),
            "INVALID_ARGUMENT",
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        "unknown field": (metadata("dense", ["foo"]), "INVALID_ARGUMENT", "Metadata field foo is not supported"),
        "no model_spec": (metadata(None), "INVALID_ARGUMENT", "Missing ModelSpec"),
        "empty name": (metadata(""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        "unknown model": (metadata("nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        "unknown version": (
            metadata("dense", version=99),
            "NOT_FOUND",
            "Servable not found for request: Specific(dense, 99)",
        ),
        "unknown label": (
            metadata("dense", label="nolabel"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: nolabel",
        ),
    },
)
rows(
    "GetModelStatus",
    {
        "both versions": (status("dense"), "OK", _BOTH),
        "a version": (status("dense", version=1), "OK", _ONE),
        "a label changes nothing": (status("dense", label="stable"), "OK", _BOTH),
        "an unknown label neither": (status("dense", label="nolabel"), "OK", _BOTH),
        "unknown model": (status("nope"), "NOT_FOUND", "Could not find any versions of model nope"),
        "unknown version": (status("dense", version=99), "NOT_FOUND", "Could not find version 99 of model dense"),
        "no model_spec": (status(None), "INVALID_ARGUMENT", "Missing ModelSpec"),
        "empty name": (status(""), "NOT_FOUND", "Could not find any versions of model "),
    },
)


@case("GetModelMetadata: the signatures, with the tensors behind them")
def _signatures(bench: Bench) -> None:
    answer = bench.ask(metadata("dense")).require("OK").message
    signatures = get_model_metadata_pb2.SignatureDefMap()

    assert answer.metadata["signature_def"].Unpack(signatures)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("dense", 2)
    assert {"serving_default", "add", "slen", "rows"} <= set(signatures.signature_def)
    assert signatures.signature_def["serving_default"].inputs["x"].name == "serving_default_x:0"
