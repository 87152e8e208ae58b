"""The embedded server as a program: how it starts, and how it refuses to; its answers are in test_conformance."""

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
from model_config.errors import ServeError
from serving import address
from serving.embedded import grpc_server

X = np.arange(6, dtype=np.float32).reshape(2, 3)


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
        try:
            wait_for_port(server, child)
            yield server
            child.terminate()
            assert child.wait(20) == 0
        finally:
            child.kill()


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


def dense(inputs=None, **options) -> Any:
    return predict_request("dense", {"x": X} if inputs is None else inputs, **options)


def test_it_answers_in_typed_fields_with_the_version_and_signature(dense_server):
    response = predict(dense_server, dense(version=2))

    assert list(response.outputs["y"].float_val) == [14.0, 15.0, 41.0, 51.0]
    assert response.outputs["y"].tensor_content == b""
    assert (response.model_spec.name, response.model_spec.version.value) == ("dense", 2)
    assert response.model_spec.signature_name == "serving_default"


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
    assert set(signatures.signature_def) == {"serving_default", "add", "slen", "__saved_model_init_op"}
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


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--rest_api_port={port}",), ("are both {port}", "different numbers")),
        (("--host=192.0.2.1",), ("192.0.2.1 is no address of this machine", "--host")),
    ],
)
def test_where_nobody_can_listen_is_told_before_anything_is_loaded(tmp_path, flags, words):
    port = address.free_port()
    given = (f"--port={port}", f"--model_base_path={tmp_path}", *(each.format(port=port) for each in flags))

    assert_one_sentence(run("serving.embedded", *given), *(each.format(port=port) for each in words))


def test_a_socket_in_no_folder_is_told_with_its_flag(tmp_path):
    with pytest.raises(ServeError, match=r"its folder must exist.*--grpc_socket_path"):
        grpc_server.socket_address(tmp_path / "none" / "socket")


def test_a_model_without_one_version_that_loads_ends_the_start(tmp_path):
    tiny.save_dense(tmp_path / "dense" / "1")
    (tmp_path / "dense" / "1" / "saved_model.pb").write_bytes(b"\xff garbage")
    flags = ("--model_name=dense", f"--model_base_path={tmp_path / 'dense'}", "--max_num_load_retries=0")
    done = run("serving.embedded", *flags)

    assert_one_sentence(done, "1 servable(s) did not become available", "{name: dense version: 1}", "build it again")


def test_a_port_in_use_is_one_sentence_and_the_first_server_goes_on(dense_server, tmp_path):
    shutil.copytree(tiny.save_dense(tmp_path / "source"), tmp_path / "dense" / "1")
    port = dense_server.rpartition(":")[2]
    done = run("serving.embedded", f"--port={port}", "--model_name=dense", f"--model_base_path={tmp_path / 'dense'}")

    assert_one_sentence(done, "is in use")
    assert predict(dense_server, dense()).model_spec.version.value == 2
