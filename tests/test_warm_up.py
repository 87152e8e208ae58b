"""What stands beside a version for the server: requests to warm up with, and how to put requests together."""

from __future__ import annotations

import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from command_line import run_here
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from converters import extras, graphs
from converters.checking import checks, verify, warm_up
from model_config import base_path, server_config
from model_config.errors import SuiteError
from model_config.models import Model

KEY = graphs.DEFAULT_KEY


def logs(version):
    """The records as tensorflow-serving-api reads them."""
    records = tf.data.TFRecordDataset(str(version / base_path.WARM_UP)).as_numpy_iterator()
    return [PredictionLog.FromString(record) for record in records]


@pytest.mark.parametrize("number", [1, 2])
def test_the_records_are_requests_that_the_server_answers(repository, server, number):
    found = logs(repository / "tiny" / str(number))
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for log in found:
            request = log.predict_log.request
            request.model_spec.version.value = number
            answer = stub.Predict(request, timeout=60)

            assert answer.model_spec.version.value == number
            assert tf.make_ndarray(answer.outputs["num_detections"]).shape == (1,)
    assert [log.WhichOneof("log_type") for log in found] == ["predict_log"]
    assert found[0].predict_log.request.model_spec.signature_name == KEY


def test_what_is_read_is_what_was_written(tmp_path):
    sent = {
        "numbers": np.arange(6, dtype=np.float16).reshape(2, 3),
        "text": np.array([b"\xff\x00", b""], object),
        "one": np.array(True),
    }
    warm_up.write([warm_up.Request("add", 2, sent, "test")], "m", tmp_path / "extra" / "requests")
    ((signature, read),) = warm_up.read(tmp_path / "extra" / "requests")

    assert signature == "add"
    for name, array in sent.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_there_are_never_more_than_the_server_takes(tmp_path):
    request = warm_up.Request(KEY, 1, {"x": np.zeros(1)}, "test")
    warm_up.write([request] * 1200, "m", tmp_path / "requests")

    assert len(list(warm_up.read(tmp_path / "requests"))) == 1000


def check(source, folder, **entry):
    copy = shutil.copytree(source, folder / "result")
    checks.check(copy, source, KEY, Model(name="m", **entry), verify.ask)
    return copy


def test_what_the_source_brings_stays_as_it_came(saved_model, tmp_path):
    source = shutil.copytree(saved_model, tmp_path / "source")
    (source / base_path.WARM_UP).parent.mkdir()
    (source / base_path.WARM_UP).write_bytes(b"their own records")
    (source / base_path.BATCHING).write_text("max_batch_size { value: 3 }")
    version = check(source, tmp_path)

    assert (version / base_path.WARM_UP).read_bytes() == b"their own records"
    assert (version / base_path.BATCHING).read_text() == "max_batch_size { value: 3 }"


def test_one_record_a_batch_size(saved_model, tmp_path):
    version = check(saved_model, tmp_path, batch_sizes=(4, 1))
    shapes = [tf.make_ndarray(log.predict_log.request.inputs["inputs"]).shape for log in logs(version)]

    assert shapes == [(1, 320, 320, 3), (4, 320, 320, 3)]
    assert parse((version / base_path.BATCHING).read_text()).allowed_batch_sizes == [1, 4]


def test_a_model_whose_answers_have_no_batch_is_not_batched(tmp_path):
    module = tf.Module()
    module.serve = tf.function(
        lambda x: {"sum": tf.reduce_sum(x)}, input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")]
    )
    tf.saved_model.save(module, str(tmp_path / "sum"), signatures={KEY: module.serve})
    version = check(tmp_path / "sum", tmp_path, batch_sizes=(1, 2))

    assert len(logs(version)) == 2
    assert not (version / base_path.BATCHING).exists()


def batching_message():
    """The server's own BatchingParameters, which tensorflow-serving-api leaves out: the same names and numbers."""
    file = descriptor_pb2.FileDescriptorProto(name="batching.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    message, kinds = file.message_type.add(name="BatchingParameters"), descriptor_pb2.FieldDescriptorProto
    names = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    for number, name in enumerate(names, start=1):
        field = message.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL, type=kinds.TYPE_MESSAGE)
        field.type_name = ".google.protobuf.Int64Value"
    message.field.add(name="allowed_batch_sizes", number=6, label=kinds.LABEL_REPEATED, type=kinds.TYPE_INT64)
    message.field.add(name="pad_variable_length_inputs", number=7, label=kinds.LABEL_OPTIONAL, type=kinds.TYPE_BOOL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters"))


BatchingParameters = batching_message()


def parse(text):
    return text_format.Parse(text, BatchingParameters())


@given(st.lists(st.integers(1, 2**31), min_size=1, max_size=6))
def test_batch_sizes_increase_up_to_the_largest_batch(sizes):
    read = parse(server_config.batching_parameters(sizes))

    assert list(read.allowed_batch_sizes) == sorted(set(sizes))
    assert read.allowed_batch_sizes[-1] == read.max_batch_size.value
    assert read.batch_timeout_micros.value == server_config.BATCH_TIMEOUT_US


@pytest.mark.parametrize("sizes", [[], [0, 1]])
def test_a_batch_of_nothing_is_refused(sizes):
    with pytest.raises(SuiteError, match="sizes of at least 1"):
        server_config.batching_parameters(sizes)


def test_every_version_keeps_what_lies_beside_the_source(saved_model, tmp_path):
    source = shutil.copytree(saved_model, tmp_path / "source")
    (name,) = graphs.signatures(source)["serving_default"].inputs
    sent = {name: np.zeros((2, 16, 16, 3), np.uint8)}
    warm_up.write([warm_up.Request("serving_default", 2, sent, "test")], "m", source / base_path.WARM_UP)
    (source / "assets.extra" / "card.md").write_text("what it is")
    built = run_here(
        "converters", "build", "m", "--source", source, "--version", 7, "--repository", tmp_path / "models"
    )
    assert built.returncode == 0, built.stderr

    made = tmp_path / "models" / "m" / "7"
    assert (made / "assets.extra" / "card.md").read_text() == "what it is"
    assert (made / base_path.WARM_UP).read_bytes() == (source / base_path.WARM_UP).read_bytes()


def test_warm_up_requests_of_signatures_that_a_version_lacks_stay_behind(saved_model, tmp_path):
    source = shutil.copytree(saved_model, tmp_path / "source")
    requests = [warm_up.Request(key, 1, {"x": np.zeros(1)}, "test") for key in ("serving_default", "other")]
    warm_up.write(requests, "m", source / base_path.WARM_UP)

    extras.keep(source, tmp_path / "made", "serving_default")

    assert not (tmp_path / "made" / base_path.WARM_UP).exists()
