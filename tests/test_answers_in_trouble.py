"""Servers that are busy, change, or answer nonsense."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
import speaking
from conformant import A, X, dense, served

from clients import Client, Connection, Retry, errors
from clients.client import predict_request
from clients.errors import ClientError
from clients.operations import Operations
from clients.wire import serving_pb2 as wire


@pytest.fixture(scope="module")
def batching(made, tmp_path_factory):
    with served(made, tmp_path_factory.mktemp("batching"), "batching") as found:
        yield found


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


def test_all_calls_of_a_question_share_its_deadline():
    steps = Operations("server", timeout_s=30).predict("m", {"x": np.ones((1, 1), np.float32)})
    learning = next(steps)
    asking = steps.send(metadata(1, 1))

    assert (learning.method, asking.method) == ("PredictionService/GetModelMetadata", "PredictionService/Predict")
    assert 0 < asking.timeout_s < learning.timeout_s <= 30


@pytest.mark.parametrize("ask", ["status", "metadata"])
def test_a_status_or_metadata_that_cannot_be_read_is_told(ask):
    damaged = speaking.client(lambda request, context: b"\x0a\xff")
    with damaged as client, pytest.raises(errors.BadAnswer, match="cannot be read"):
        getattr(client, ask)("m")


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


BATCHES = {
    "a scalar": ({"x": np.float32(1)}, "", "must have at least one dimension"),
    "unequal": ({"a": A, "b": np.ones(3, np.int32)}, "add", "must have equal 0th-dimension size"),
    "too many": ({"x": np.ones((17, 3), np.float32)}, "", "larger than maximum input batch size 16; send smaller"),
}


@pytest.mark.parametrize("row", BATCHES)
def test_batches_that_a_batching_server_refuses_are_told_apart(batching, row):
    inputs, signature, words = BATCHES[row]
    with Client(batching.server) as client, pytest.raises(errors.WrongBatch, match=words):
        client.ask(dense(inputs, signature=signature))


def test_a_full_queue_is_told_from_a_server_that_is_away(batching):
    request = predict_request("slow", {"x": X[:1]})
    with Client(Connection(batching.server, retry=Retry(attempts=1))) as client:
        pending = [client.ask_future(request) for _ in range(4)]
        refused = [error for error in (each.exception(30) for each in pending) if error]

    assert refused
    assert {type(error) for error in refused} == {errors.ServerBusy}


def test_a_full_queue_is_waited_for(batching):
    request = predict_request("slow", {"x": X[:1]})
    with Client(Connection(batching.server, retry=Retry(attempts=5, pause_s=2, longest_s=4))) as client:
        pending = [client.ask_future(request) for _ in range(3)]

        assert [each.result(30).version for each in pending] == [1, 1, 1]


def test_a_deadline_is_the_servers_too(batching):
    with Client(batching.server) as client, pytest.raises(errors.DeadlineExceeded, match="allow more time"):
        client.ask(predict_request("slow", {"x": X[:1]}), timeout=0.2)


# what only a server in trouble says
SAID = {
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
