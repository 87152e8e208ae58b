"""What a server says, row by row, and what the client makes of it: one error each, that says what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import grpc
import numpy as np
import pytest
import speaking
import tiny

from clients import Client, Retry, errors
from clients.client import predict_request
from clients.errors import ClientError
from clients.wire import serving_pb2 as wire
from model_config import server_config
from model_config.errors import SuiteError
from serving import address

X = np.arange(6, dtype=np.float32).reshape(2, 3)
A, B = np.array([3, 4], np.int32), np.array([1, 2], np.int32)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Versions 1 and 2 of dense, and a version 3 that cannot be read."""
    folder = tmp_path_factory.mktemp("dense")
    tiny.save_dense(folder / "dense" / "1")
    for number in ("2", "3"):
        shutil.copytree(folder / "dense" / "1", folder / "dense" / number)
    (folder / "dense" / "3" / "saved_model.pb").write_bytes(b"\xff garbage")
    return folder


@pytest.fixture(scope="module")
def dense_server(repository):
    config = server_config.write([server_config.choose(repository, "dense", [1, 2, 3], {"stable": 1})], repository)
    port = address.free_port()
    command = [sys.executable, "-m", "serving.embedded", f"--port={port}", f"--model_config_file={config}"]
    with subprocess.Popen([*command, "--max_num_load_retries=0"]) as child:
        wait_for_versions(f"{address.LOCAL}:{port}", child)
        yield f"{address.LOCAL}:{port}"
        child.terminate()
        assert child.wait(20) == 0


def wait_for_versions(server, child):
    with Client(server) as client:
        for _ in range(600):
            assert child.poll() is None
            try:
                if {state.state for state in client.status("dense")} == {"AVAILABLE", "END"}:
                    return
            except ClientError:
                pass
            time.sleep(0.1)
    raise AssertionError("the versions did not load")


@pytest.fixture
def client(dense_server):
    with Client(dense_server) as client:
        yield client


def dense(inputs=None, **options):
    return predict_request("dense", {"x": X} if inputs is None else inputs, **options)


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
        "does not serve version 99 of dense; it has: 1 AVAILABLE, 2 AVAILABLE, 3 END (",
    ),
    "negative version": (dense(version=-1), errors.UnknownVersion, "does not serve version -1 of dense"),
    "version that failed to load": (dense(version=3), errors.LoadFailed, "could not load version 3 of dense: "),
    "unknown label": (
        dense(label="nolabel"),
        errors.UnknownLabel,
        "has no version of dense with the label 'nolabel'; it has: 1 AVAILABLE",
    ),
    "unknown signature": (
        dense(signature="ad"),
        errors.UnknownSignature,
        "version 2 of dense has no signature 'ad', only add, serving_default, slen; did you mean 'add'?",
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
    "without a version": (dense(), 2, {"y": [[14.0, 15.0], [41.0, 51.0]]}),
    "by label": (dense(label="stable"), 1, {"y": [[14.0, 15.0], [41.0, 51.0]]}),
    "by number": (dense(version=1), 1, {"y": [[14.0, 15.0], [41.0, 51.0]]}),
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


def test_a_signature_is_fetched_once_and_again_when_the_version_changed():
    """The latest version wants another shape from some moment on."""
    asked = {"PredictionService/GetModelMetadata": 0}
    latest = [1]

    def answer(request, context):
        if request.startswith(b"\x0a") and b"signature_def" in request:
            asked["PredictionService/GetModelMetadata"] += 1
            return metadata(latest[0], size=latest[0])
        return speaking.prediction(latest[0], y=[1.0])

    with speaking.client(answer) as client:
        for _ in range(3):
            assert client.predict("m", {"x": np.ones((1, 1), np.float32)}).version == 1
        assert asked["PredictionService/GetModelMetadata"] == 1
        latest[0] = 2

        assert client.predict("m", {"x": np.ones((1, 2), np.float32)}).version == 2
        with pytest.raises(errors.WrongShape):
            client.predict("m", {"x": np.ones((1, 1), np.float32)})


def metadata(version, size):
    signature = wire.SignatureDef()
    info = signature.inputs["x"]
    info.dtype = wire.DT_FLOAT
    for each in (-1, size):
        info.tensor_shape.dim.add(size=each)
    response = wire.GetModelMetadataResponse()
    response.model_spec.version.value = version
    found = wire.SignatureDefMap(signature_def={"serving_default": signature})
    response.metadata["signature_def"].value = found.SerializeToString()
    return response.SerializeToString()


# what only a server in trouble says
SAID = {
    "queue full": ("UNAVAILABLE", "The batch scheduling queue to which this is submitted is full", errors.ServerBusy),
    "out of threads": ("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted", errors.ServerBusy),
    "out of time": ("DEADLINE_EXCEEDED", "Timed out waiting for notification", errors.DeadlineExceeded),
    "unknown method": ("UNIMPLEMENTED", "", errors.NotSupported),
    "not parsed": ("INTERNAL", "", errors.ServerFailed),
}


@pytest.mark.parametrize("row", SAID)
def test_a_server_in_trouble_is_told_from_one_that_refuses(row):
    code, text, kind = SAID[row]
    answer = speaking.refusing(grpc.StatusCode[code], text)
    with speaking.client(answer, retry=Retry(attempts=1)) as client, pytest.raises(ClientError) as caught:
        client.ask(dense())

    assert type(caught.value) is kind
    assert caught.value.code == code
