"""The embedded server answers as the stock server does: same codes, same texts."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import Any

import grpc
import numpy as np
import pytest
import tiny
from command_line import assert_one_sentence, run
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from clients.client import Client, predict_request
from clients.errors import ClientError
from clients.wire import serving_pb2 as wire
from clients.wire import tensors
from model_config import server_config
from serving import address

X = np.arange(6, dtype=np.float32).reshape(2, 3)
A, B = np.array([3, 4], np.int32), np.array([1, 2], np.int32)


@pytest.fixture(scope="module")
def dense_server(tmp_path_factory):
    """Versions 1 and 2 of dense with the label stable, and a version 3 that cannot be read."""
    repository = tmp_path_factory.mktemp("dense")
    (repository / "dense").mkdir()
    for number in ("1", "2", "3"):
        tiny.save_dense(repository / "dense" / number)
    (repository / "dense" / "3" / "saved_model.pb").write_bytes(b"\xff garbage")
    config = server_config.write([server_config.choose(repository, "dense", [1, 2, 3], {"stable": 1})], repository)
    flags = ("--max_num_load_retries=0", "--allow_version_labels_for_unavailable_models")
    yield from serve(f"--model_config_file={config}", *flags)


def serve(*flags: str):
    """An embedded server of its own process; gives its address."""
    port = address.free_port()
    command = [sys.executable, "-m", "serving.embedded", f"--port={port}", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        server = f"{address.LOCAL}:{port}"
        wait_for_port(server, child)
        yield server
        child.terminate()
        assert child.wait(20) == 0


def wait_for_port(server: str, child: subprocess.Popen[str]) -> None:
    with Client(server) as client:
        for _ in range(300):
            assert child.poll() is None, child.stderr.read()
            try:
                client.status("any")
            except ClientError as error:
                if "NOT_FOUND" in str(error):
                    return
            time.sleep(0.1)
    raise AssertionError("the port did not open")


def call(server: str, method: str, request: Any, answer: Any) -> Any:
    with grpc.insecure_channel(server) as channel:
        ask = channel.unary_unary(f"/tensorflow.serving.{method}", lambda r: r.SerializeToString(), answer.FromString)
        return ask(request, timeout=20)


def predict(server: str, request: Any) -> Any:
    return call(server, "PredictionService/Predict", request, wire.PredictResponse)


def refusal(server: str, request: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        predict(server, request)
    return caught.value.code().name, caught.value.details()


def dense(inputs=None, **options) -> Any:
    return predict_request("dense", {"x": X} if inputs is None else inputs, **options)


def spoiled(**fields) -> Any:
    request = dense()
    for name, value in fields.items():
        setattr(request.inputs["x"], name, value)
    return request


def labelled(name: str, label: str) -> Any:
    request = predict_request(name, {"x": X})
    request.model_spec.version_label = label
    return request


REFUSALS = {
    "no spec": (wire.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no name": (predict_request("", {"x": X}), "NO NAME", ""),
    "unknown model": (predict_request("nope", {"x": X}), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    "unknown model and version": (
        predict_request("nope", {"x": X}, version=7),
        "NOT_FOUND",
        "Servable not found for request: Specific(nope, 7)",
    ),
    "unknown model and label": (
        labelled("nope", "stable"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: stable",
    ),
    "unknown version": (dense(version=99), "NOT_FOUND", "Servable not found for request: Specific(dense, 99)"),
    "negative version": (dense(version=-1), "NOT_FOUND", "Servable not found for request: Specific(dense, -1)"),
    "version that failed to load": (
        dense(version=3),
        "NOT_FOUND",
        "Servable not found for request: Specific(dense, 3)",
    ),
    "unknown label": (
        labelled("dense", "nolabel"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: nolabel",
    ),
    "unknown signature": (
        dense(signature="nosig"),
        "FAILED_PRECONDITION",
        'Serving signature key "nosig" not found.',
    ),
    "no inputs": (
        dense({}),
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
    ),
    "one of two inputs": (
        dense({"a": A}, signature="add"),
        "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
    ),
    "an input too many": (
        dense({"x": X, "extra": X}),
        "INVALID_ARGUMENT",
        "input size does not match signature: 2!=1 len({extra,x}) != len({x}). Sent extra: {extra}. "
        "Missing but required: {}.",
    ),
    "wrong input name": (
        dense({"z": X}),
        "INVALID_ARGUMENT",
        "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value provided. "
        "Inputs expected to be in the request {z}, or default input alias set: ",
    ),
    "int32 for float": (
        dense({"x": X.astype(np.int32)}),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but int32 is provided",
    ),
    "double for float": (
        dense({"x": X.astype(np.float64)}),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but double is provided",
    ),
    "string for float": (
        dense({"x": np.array([b"x"], object)}),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but string is provided",
    ),
    "unknown output": (
        dense({"a": A, "b": B}, signature="add", outputs=["nope"]),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: nope Outputs expected to be in the set {diff,sum}.",
    ),
    "output named twice": (
        dense({"a": A, "b": B}, signature="add", outputs=["sum", "sum"]),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: sum",
    ),
    "content of the wrong length": (spoiled(tensor_content=b"12345"), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "no type": (spoiled(dtype=0), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "a type there is not": (spoiled(dtype=99), "INVALID_ARGUMENT", "tensor parsing error: x"),
}
REFUSALS["no name"] = (REFUSALS["no name"][0], "INVALID_ARGUMENT", "ModelSpec has no name specified.")


@pytest.mark.parametrize("case", REFUSALS)
def test_it_refuses_in_the_stock_servers_words(dense_server, case):
    request, code, text = REFUSALS[case]

    assert refusal(dense_server, request) == (code, text)


NODE = "\n\t [[{{node StatefulPartitionedCall/StatefulPartitionedCall/add}}]]"


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((2, 4), "Matrix size-incompatible: In[0]: [2,4], In[1]: [3,2]"),
        ((3,), "In[0] is not a matrix"),
        ((), "In[0] is not a matrix"),
        ((1, 1, 3), "In[0] is not a matrix"),
    ],
)
def test_what_the_graph_refuses_is_told_in_its_words(dense_server, shape, text):
    request = dense({"x": np.ones(shape, np.float32)})

    assert refusal(dense_server, request) == ("INVALID_ARGUMENT", text + NODE)


def test_it_answers_in_typed_fields_with_the_version_and_signature(dense_server):
    response = predict(dense_server, dense(version=2))

    assert list(response.outputs["y"].float_val) == [14.0, 15.0, 41.0, 51.0]
    assert response.outputs["y"].tensor_content == b""
    assert (response.model_spec.name, response.model_spec.version.value) == ("dense", 2)
    assert response.model_spec.signature_name == "serving_default"


def test_without_a_version_the_largest_that_loaded_answers(dense_server):
    assert predict(dense_server, dense()).model_spec.version.value == 2


def test_a_label_means_its_version(dense_server):
    assert predict(dense_server, labelled("dense", "stable")).model_spec.version.value == 1


def test_a_batch_of_nothing_is_answered_with_nothing(dense_server):
    response = predict(dense_server, dense({"x": X[:0]}))

    assert tensors.decode(response.outputs["y"]).shape == (0, 2)


def test_strings_come_back_as_they_went(dense_server):
    response = predict(dense_server, dense({"s": np.array([b"abc", b"\xff\x00"], object)}, signature="slen"))

    assert list(response.outputs["echo"].string_val) == [b"abc", b"\xff\x00"]
    assert list(response.outputs["n"].int_val) == [3, 2]


def test_only_the_outputs_asked_for_are_sent(dense_server):
    response = predict(dense_server, dense({"a": A, "b": B}, signature="add", outputs=["sum"]))

    assert {name: tensors.decode(proto).tolist() for name, proto in response.outputs.items()} == {"sum": [4, 6]}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["foo"], "Metadata field foo is not supported"),
    ],
)
def test_metadata_fields_are_checked(dense_server, fields, text):
    request = wire.GetModelMetadataRequest(model_spec=wire.ModelSpec(name="dense"), metadata_field=fields)
    with pytest.raises(grpc.RpcError) as caught:
        call(dense_server, "PredictionService/GetModelMetadata", request, wire.GetModelMetadataResponse)

    assert (caught.value.code().name, caught.value.details()) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    ("spec", "code", "text"),
    [
        (wire.ModelSpec(name="nope"), "NOT_FOUND", "Could not find any versions of model nope"),
        (dense(version=99).model_spec, "NOT_FOUND", "Could not find version 99 of model dense"),
        (None, "INVALID_ARGUMENT", "Missing ModelSpec"),
    ],
)
def test_status_refuses_in_the_stock_servers_words(dense_server, spec, code, text):
    request = wire.GetModelStatusRequest(model_spec=spec)
    with pytest.raises(grpc.RpcError) as caught:
        call(dense_server, "ModelService/GetModelStatus", request, wire.GetModelStatusResponse)

    assert (caught.value.code().name, caught.value.details()) == (code, text)


def test_a_version_that_cannot_be_loaded_does_not_stop_the_others(dense_server):
    with Client(dense_server) as client:
        states = {state.version: state for state in client.status("dense")}

    assert {number: state.state for number, state in states.items()} == {1: "AVAILABLE", 2: "AVAILABLE", 3: "END"}
    assert states[3].error


def test_tensorflow_servings_own_client_is_answered(dense_server):
    with grpc.insecure_channel(dense_server) as channel:
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "dense"
        tensors.encode(X, request.inputs["x"])
        answer = prediction.Predict(request)
        metadata = prediction.GetModelMetadata(
            get_model_metadata_pb2.GetModelMetadataRequest(
                model_spec=request.model_spec, metadata_field=["signature_def"]
            )
        )
        status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(
            get_model_status_pb2.GetModelStatusRequest(model_spec=request.model_spec)
        )
    signatures = get_model_metadata_pb2.SignatureDefMap()

    assert metadata.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def) == {"serving_default", "add", "slen"}
    assert tensors.decode(answer.outputs["y"]).shape == (2, 2)
    assert [each.version for each in status.model_version_status] == [3, 2, 1]


def test_one_model_is_served_without_a_config_and_unknown_flags_are_named(tmp_path):
    for number in ("1", "7"):
        tiny.save_dense(tmp_path / "dense" / number)
    server = serve("--model_name=dense", f"--model_base_path={tmp_path / 'dense'}", "--some_flag=3")
    location = next(server)

    assert predict(location, dense()).model_spec.version.value == 7
    next(server, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_config_list { konfig {} }", "Invalid protobuf file"),
        ('model_config_list { config { name: "m" base_path: "relative" } }', "absolute path"),
        (
            'model_config_list { config { name: "m" base_path: "/nowhere/m" model_platform: "tensorflow" } }',
            "base path /nowhere/m",
        ),
    ],
)
def test_a_config_that_cannot_be_served_ends_the_start(tmp_path, text, words):
    (tmp_path / "models.config").write_text(text)
    done = run("serving.embedded", "--port", address.free_port(), f"--model_config_file={tmp_path / 'models.config'}")

    assert_one_sentence(done, words)


def test_a_missing_config_ends_the_start(tmp_path):
    assert_one_sentence(
        run("serving.embedded", f"--model_config_file={tmp_path / 'no'}"), "no; No such file or directory"
    )
    assert_one_sentence(run("serving.embedded"), "are empty")


def test_a_model_without_one_version_that_loads_ends_the_start(tmp_path):
    tiny.save_dense(tmp_path / "dense" / "1")
    (tmp_path / "dense" / "1" / "saved_model.pb").write_bytes(b"\xff garbage")
    flags = ("--model_name=dense", f"--model_base_path={tmp_path / 'dense'}", "--max_num_load_retries=0")
    done = run("serving.embedded", *flags)

    assert_one_sentence(done, "1 servable(s) did not become available", "{name: dense version: 1}")


def test_a_port_in_use_is_one_sentence_and_the_first_server_goes_on(dense_server, tmp_path):
    shutil.copytree(tiny.save_dense(tmp_path / "source"), tmp_path / "dense" / "1")
    port = dense_server.rpartition(":")[2]
    done = run("serving.embedded", f"--port={port}", "--model_name=dense", f"--model_base_path={tmp_path / 'dense'}")

    assert_one_sentence(done, "is in use")
    assert predict(dense_server, dense()).model_spec.version.value == 2
