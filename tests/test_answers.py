"""What a server says, row by row, and what the client makes of it: one error each, that says what to do."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import numpy as np
import pytest
import speaking

from clients import Client, Connection, Retry, errors, translation
from clients.client import predict_request
from clients.errors import ClientError
from clients.operations import Operations
from clients.wire import serving_pb2 as wire
from model_config.errors import SuiteError
from serving.conformance import models, running, settings, target
from serving.conformance.case import CASES, Bench
from serving.conformance.questions import config, model
from serving.conformance.waiting import until

X = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
A, B = np.array([3, 4], np.int32), np.array([1, 2], np.int32)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The models of the conformance suite."""
    folder = tmp_path_factory.mktemp("made")
    models.make(folder)
    return folder


@contextmanager
def served(made, folder, setting):
    """An embedded server in a setting of the conformance suite."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
    flags = settings.SETTINGS[setting](folder)
    with target.started(running.EMBEDDED, flags, folder, folder / "server.log") as found:
        yield found


@pytest.fixture(scope="module")
def plain(made, tmp_path_factory):
    with served(made, tmp_path_factory.mktemp("plain"), "plain") as found, Client(found.server) as client:
        until(lambda: all_available(client))
        yield found


@pytest.fixture(scope="module")
def batching(made, tmp_path_factory):
    with served(made, tmp_path_factory.mktemp("batching"), "batching") as found:
        yield found


def all_available(client):
    return {(state.version, state.state) for state in client.status("dense")} == {(1, "AVAILABLE"), (2, "AVAILABLE")}


@pytest.fixture
def client(plain):
    with Client(plain.server) as client:
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


def with_more(plain, *entries):
    """The config that is served, and more models."""
    text = settings.base_config(plain.folder)
    return text[:-1] + " ".join(f"config {{ {entry} }}" for entry in entries) + " }"


@pytest.fixture
def reloading(plain, client):
    """A client that may send configs; in the end the server serves by its own again."""
    yield client
    client.reload(settings.base_config(plain.folder))
    until(lambda: all_available(client))


_TENSORFLOW = 'model_platform: "tensorflow"'
CONFIGS = {
    "no base_path": (f'name: "q" {_TENSORFLOW}', "to have an absolute path.*give its base_path"),
    "relative base_path": (
        f'name: "q" base_path: "a/b" {_TENSORFLOW}',
        "to have an absolute path.*got base_path..=a/b",
    ),
    "unknown platform": ('name: "q" base_path: "/x" model_platform: "caffe"', "unsupported platform caffe; use"),
    "a name twice": (
        f'name: "dense" base_path: "/x" {_TENSORFLOW}',
        "list model dense multiple times.*every model once",
    ),
}


@pytest.mark.parametrize("row", CONFIGS)
def test_configs_that_the_server_refuses_leave_it_as_it_was(plain, reloading, row):
    entry, words = CONFIGS[row]
    with pytest.raises(errors.ReloadRefused, match=words):
        reloading.reload(with_more(plain, entry))

    assert reloading.predict("dense", {"x": X}).version == 2


def test_the_platform_of_a_live_model_stays(plain, reloading):
    changed = config(model(plain.folder, "dense").replace('"tensorflow"', '"other"'))
    with pytest.raises(errors.ReloadRefused, match=r"change a model's platform.*serve it under another name"):
        reloading.reload(changed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('model_config_list { config { name: "q" base_path: "/x" } }', "model q has no platform; add model_platform"),
        ("", "has no model_config_list"),
        ("modle_config_list {}", "is no model config.*modle_config_list"),
    ],
)
def test_configs_that_would_harm_a_server_are_not_sent(client, text, words):
    with pytest.raises(errors.ReloadRefused, match=words) as caught:
        client.reload(text)

    assert caught.value.code == ""


def test_a_version_that_cannot_be_loaded_says_why_and_so_does_asking_it(plain, reloading):
    reason = "Read less bytes than requested"
    with pytest.raises(errors.LoadFailed, match=f"bad version: 1.*{reason}.*build it again"):
        reloading.reload(with_more(plain, model(plain.folder, "bad")))
    with pytest.raises(errors.LoadFailed, match=f"could not load any version of bad; it has: 1 END .{reason}"):
        reloading.predict("bad", {"x": X})
    with pytest.raises(errors.LoadFailed, match=f"could not load version 1 of bad: {reason}"):
        reloading.predict("bad", {"x": X}, version=1)


def test_a_model_that_is_loading_is_told_and_then_answers_and_then_is_unloaded(plain, reloading):
    seen = []

    def ask(**which):
        try:
            return reloading.predict("slowload", {"x": X[:, :1]}, **which)
        except errors.NotServed as error:
            seen.append(type(error))
            return None

    sending = threading.Thread(target=reloading.reload, args=(with_more(plain, model(plain.folder, "slowload")),))
    sending.start()
    while sending.is_alive():
        ask()
        ask(version=1)
    sending.join()

    assert set(seen) - {errors.UnknownModel} == {errors.StillLoading}
    assert ask().version == 1
    reloading.reload(settings.base_config(plain.folder))
    until(lambda: reloading.status("slowload")[0].state == "END")
    with pytest.raises(errors.Unloaded, match="has unloaded every version of slowload; it has: 1 END"):
        reloading.predict("slowload", {"x": X[:, :1]})


def test_an_empty_config_unloads_everything_and_all_of_it_comes_back(plain, reloading):
    reloading.reload("model_config_list {}")
    until(lambda: {state.state for state in reloading.status("dense")} == {"END"})
    with pytest.raises(errors.Unloaded, match="has unloaded every version of dense; it has: 1 END, 2 END"):
        reloading.predict("dense", {"x": X})
    reloading.reload(settings.base_config(plain.folder))
    until(lambda: all_available(reloading))

    assert reloading.predict("dense", {"x": X}).version == 2


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
