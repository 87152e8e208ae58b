"""The embedded server's own reading and writing of messages is protobuf's, byte for byte as far as it matters."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow_serving.apis import predict_pb2

from clients.wire import tensors
from serving.embedded import predict_request, predict_response
from serving.embedded.refusals import Refusal

NUMBERS = [kind.dtype for kind in tensors.KINDS if kind.dtype.kind in "fiubc" and kind.dtype.name != "bfloat16"]
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
ARRAYS = st.sampled_from(NUMBERS).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES))
STRINGS = st.lists(st.binary(max_size=6), max_size=4).map(lambda each: np.array([*each, b""], object)[:-1])
NAMES = st.text(max_size=5)
ANY = st.dictionaries(NAMES, ARRAYS | STRINGS, max_size=3)


@given(ANY, NAMES.filter(bool), st.none() | st.integers(-(2**62), 2**62), st.lists(NAMES, max_size=3), st.booleans())
def test_a_request_reads_as_protobuf_reads_it(inputs, name, version, outputs, typed):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    for key, array in inputs.items():
        tensors.encode(array, request.inputs[key], typed=typed)
    spec, spans, wanted = predict_request.read(request.SerializeToString())

    assert (spec.name, spec.version, wanted) == (name, version, tuple(outputs))
    assert spans.keys() == inputs.keys()
    for key, array in inputs.items():
        number, read = spans[key].tensor()
        assert number == request.inputs[key].dtype
        np.testing.assert_array_equal(read, array)


@given(ANY, NAMES, st.integers(0, 2**62), NAMES)
def test_an_answer_is_the_message_that_protobuf_would_write(outputs, name, version, signature):
    wanted = predict_pb2.PredictResponse()
    wanted.model_spec.name, wanted.model_spec.signature_name = name, signature
    wanted.model_spec.version.value = version
    for key, array in outputs.items():
        tensors.encode(array, wanted.outputs[key], typed=True)
    written = predict_pb2.PredictResponse.FromString(predict_response.write(outputs, name, version, signature))

    assert written.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_request_never_end_in_anything_but_a_refusal(raw):
    try:
        request = predict_request.read(raw)
        for span in request.inputs.values():
            span.tensor()
    except (DecodeError, Refusal, ValueError):
        pass


def test_a_block_of_values_is_not_copied():
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    tensors.encode(np.arange(1000, dtype=np.uint8), request.inputs["x"])
    raw = request.SerializeToString()
    _, array = predict_request.read(raw).inputs["x"].tensor()

    assert array.base is not None
    assert not array.flags.owndata


@pytest.mark.parametrize("end", [1, 5, 20, 40])
def test_a_request_cut_short_is_none(end):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "some model"
    tensors.encode(np.arange(100, dtype=np.uint8), request.inputs["x"])
    with pytest.raises(DecodeError):
        predict_request.read(request.SerializeToString(deterministic=True)[:end])


def test_a_field_that_has_come_since_is_passed_over():
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    tensors.encode(np.arange(3, dtype=np.uint8), request.inputs["x"])
    spec, inputs, _ = predict_request.read(request.SerializeToString() + b"\xf8\x07\x01")

    assert spec.name == "m"
    assert inputs["x"].tensor()[1].tolist() == [0, 1, 2]
