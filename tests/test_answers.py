"""What a server says, row by row, and what the client makes of it: one error each, that says what to do."""

from __future__ import annotations

from dataclasses import dataclass, field

import grpc
import numpy as np
import pytest
from conformant import A, B, X, all_available, dense, served

from clients import Client, errors, translation
from clients.client import predict_request
from clients.errors import ClientError
from clients.wire import serving_pb2 as wire
from model_config.errors import SuiteError
from serving.conformance import running
from serving.conformance.case import CASES, Bench
from serving.conformance.waiting import until


@pytest.fixture(scope="module")
def plain(made, tmp_path_factory):
    with served(made, tmp_path_factory.mktemp("plain"), "plain") as found, Client(found.server) as client:
        until(lambda: all_available(client))
        yield found


@pytest.fixture
def client(plain):
    with Client(plain.server) as client:
        yield client


def spoiled(**fields):
    request = dense()
    for name, value in fields.items():
        setattr(request.inputs["x"], name, value)
    return request


def unshaped(unknown_rank=False, size=0):
    request = dense()
    request.inputs["x"].tensor_shape.unknown_rank = unknown_rank
    if size:
        request.inputs["x"].tensor_shape.dim[0].size = size
    return request


# what is sent unchecked, the error it becomes, and words of its text
REFUSED = {
    "no spec": (wire.PredictRequest(), errors.Malformed, "Missing ModelSpec; name a model"),
    "no name": (predict_request("", {"x": X}), errors.Malformed, "no name specified.; name a model"),
    "unknown model": (predict_request("nope", {"x": X}), errors.UnknownModel, "serves no model called 'nope'"),
    "unknown model and version": (
        predict_request("nope", {"x": X}, version=7),
        errors.UnknownModel,
        "serves no model called 'nope'; check the name",
    ),
    "unknown model and label": (
        predict_request("nope", {"x": X}, label="stable"),
        errors.UnknownModel,
        "serves no model called 'nope'",
    ),
    "unknown version": (
        dense(version=99),
        errors.UnknownVersion,
        "does not serve version 99 of dense; it has: 1 AVAILABLE, 2 AVAILABLE; ask one of these",
    ),
    "negative version": (dense(version=-1), errors.UnknownVersion, "does not serve version -1 of dense"),
    "unknown label": (
        dense(label="nolabel"),
        errors.UnknownLabel,
        "has no version of dense with the label 'nolabel'; it has: 1 AVAILABLE",
    ),
    "unknown signature": (
        dense(signature="ad"),
        errors.UnknownSignature,
        "version 2 of dense has no signature 'ad', only add, rows, serving_default, slen; did you mean 'add'?",
    ),
    "no inputs": (dense({}), errors.WrongNames, "Missing but required: {x}.; send exactly the inputs"),
    "one of two inputs": (dense({"a": A}, signature="add"), errors.WrongNames, "Missing but required: {b}."),
    "an input too many": (dense({"x": X, "extra": X}), errors.WrongNames, "Sent extra: {extra}."),
    "wrong input name": (dense({"z": X}), errors.WrongNames, "Signature input alias: x"),
    "int32 for float": (dense({"x": X.astype(np.int32)}), errors.WrongType, "to be float but int32 is provided; conv"),
    "double for float": (dense({"x": X.astype(np.float64)}), errors.WrongType, "float but double is provided"),
    "string for float": (dense({"x": np.array([b"x"])}), errors.WrongType, "float but string is provided"),
    "wrong inner size": (dense({"x": np.ones((2, 4), np.float32)}), errors.BadRequest, "Matrix size-incompatible"),
    "wrong rank": (dense({"x": np.ones(3, np.float32)}), errors.BadRequest, "is not a matrix"),
    "scalar": (dense({"x": np.float32(3)}), errors.BadRequest, "is not a matrix"),
    "rank too high": (dense({"x": np.ones((1, 1, 3), np.float32)}), errors.BadRequest, "is not a matrix"),
    "unequal batches": (
        dense({"a": A, "b": np.ones(3, np.int32)}, signature="add"),
        errors.BadRequest,
        "Incompatible shapes: [2] vs. [3]",
    ),
    "unknown output": (dense(outputs=["nope"]), errors.WrongOutputs, "not found in signature: nope Outputs expected"),
    "output named twice": (dense(outputs=["y", "y"]), errors.WrongOutputs, "duplicate output tensor alias: y"),
    "content of the wrong length": (spoiled(tensor_content=b"12345"), errors.Malformed, "tensor parsing error: x"),
    "negative size": (unshaped(size=-1), errors.Malformed, "tensor parsing error: x"),
    "unknown rank": (unshaped(unknown_rank=True), errors.Malformed, "tensor parsing error: x"),
    "no type": (spoiled(dtype=0), errors.Malformed, "tensor parsing error: x"),
    "a type there is not": (spoiled(dtype=99), errors.Malformed, "tensor parsing error: x"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_the_server_refuses_is_one_error_that_says_what_to_do(client, row):
    request, kind, words = REFUSED[row]
    with pytest.raises(ClientError) as caught:
        client.ask(request)

    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "; " in str(caught.value)


# what is sent, and what comes back from which version
ANSWERED = {
    "without a version": (dense(), 2, {"y": [[23.0, 27.0], [50.0, 63.0]]}),
    "by label": (dense(label="stable"), 1, {"y": [[22.5, 27.5], [49.5, 63.5]]}),
    "by number": (dense(version=1), 1, {"y": [[22.5, 27.5], [49.5, 63.5]]}),
    "an empty batch": (dense({"x": X[:0]}), 2, {"y": np.empty((0, 2)).tolist()}),
    "a batch of one and one of three": (
        dense({"a": A[:1], "b": np.array([1, 2, 3], np.int32)}, signature="add"),
        2,
        {"sum": [4, 5, 6], "diff": [2, 1, 0]},
    ),
    "one output": (dense({"a": A, "b": B}, signature="add", outputs=["sum"]), 2, {"sum": [4, 6]}),
    "strings": (
        dense({"s": np.array([b"abc", b"\xff\x00"], object)}, signature="slen"),
        2,
        {"n": [3, 2], "echo": [b"abc", b"\xff\x00"]},
    ),
    "an empty batch of strings": (dense({"s": np.empty(0, object)}, signature="slen"), 2, {"n": [], "echo": []}),
}


@pytest.mark.parametrize("row", ANSWERED)
def test_what_the_server_answers_comes_as_arrays(client, row):
    request, version, outputs = ANSWERED[row]
    answer = client.ask(request)

    assert answer.version == version
    assert {name: array.tolist() for name, array in answer.outputs.items()} == outputs


def test_status_and_metadata_of_an_unknown_model_name_it(client):
    with pytest.raises(errors.UnknownModel, match="versions of model nope; check the name"):
        client.status("nope")
    with pytest.raises(errors.UnknownModel, match="serves no model called 'nope'"):
        client.metadata("nope")
    with pytest.raises(errors.UnknownVersion, match="does not serve version 9 of dense"):
        client.metadata("dense", 9)
    with pytest.raises(errors.UnknownLabel, match="with the label 'nolabel'"):
        client.metadata("dense", label="nolabel")


def test_inputs_are_checked_before_anything_is_sent(client):
    with pytest.raises(errors.WrongShape, match=r"x came as \[2, 4\], but wanted is float32 \[any, 3\]") as caught:
        client.predict("dense", {"x": np.ones((2, 4), np.float32)})
    with pytest.raises(errors.UnknownSignature, match=r"no signature 'ad', only add.* did you mean 'add'"):
        client.predict("dense", {"x": X}, signature="ad")

    assert caught.value.code == ""


def test_predict_takes_a_label_and_outputs_and_converts_when_asked(client):
    answer = client.predict("dense", {"x": X.astype(np.uint8)}, label="stable", outputs=["y"], cast=True)

    assert answer.version == 1
    assert set(answer.outputs) == {"y"}


def test_a_version_and_a_label_are_not_both_named(client):
    with pytest.raises(SuiteError, match="not both"):
        client.predict("dense", {"x": X}, version=1, label="stable")


def test_the_version_behind_a_label_is_told(client):
    assert client.version_of("dense") == 2
    assert client.version_of("dense", "stable") == 1
    assert client.version_of("dense", "nolabel") is None
    assert client.version_of("nope") is None


@dataclass(frozen=True)
class Recording(Bench):
    """Remembers every refusal."""

    refusals: list = field(default_factory=list)

    def ask(self, request, timeout_s=12.0):
        answer = super().ask(request, timeout_s)
        if answer.code != "OK":
            self.refusals.append(answer)
        return answer


QUICK = [case for case in CASES if case.setting == "plain" and not case.may_break and ": " in case.name]
ROWS = [
    case for case in QUICK if case.name.split(":")[0] not in ("Reload", "REST", "Start", "Polling", "Other", "HTTP")
]


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.name)
def test_every_recorded_refusal_has_a_meaning_of_its_own(plain, case):
    with grpc.insecure_channel(plain.server) as channel:
        bench = Recording(plain, channel, running.EMBEDDED)
        case.check(bench)

    for answer in bench.refusals:
        made = translation.from_status("server", grpc.StatusCode[answer.code], answer.details)
        assert type(made) not in (ClientError, errors.ServerFailed)
        assert str(made).endswith(made.remedy) or "; " in str(made)
