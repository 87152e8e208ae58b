"""What is written to and read from the wire without protobuf's messages is what they would write and read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow_serving.apis import predict_pb2

from clients.client import predict_request
from clients.spec import spec_of
from clients.wire import answers, framing, tensors

TYPES = [kind.dtype for kind in tensors.KINDS if kind is not tensors.STRING and kind.dtype.kind != "V"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
NUMBERS = hnp.arrays(st.sampled_from(TYPES), SHAPES)
STRINGS = hnp.arrays(np.object_, SHAPES, elements=st.binary(max_size=5))
NAMED = st.dictionaries(st.text(max_size=8), st.one_of(NUMBERS, STRINGS), max_size=3)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and (one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes())


@given(NAMED, st.text(max_size=8), st.none() | st.integers(0, 2**62), st.lists(st.text(max_size=8), max_size=3))
@settings(max_examples=150)
def test_a_request_written_at_once_is_the_message(inputs, model, version, outputs):
    content = framing.predict_request(spec_of(model, version), inputs, outputs)

    theirs = predict_pb2.PredictRequest.FromString(content)
    message = predict_request(model, inputs, version=version, outputs=outputs)
    assert theirs == predict_pb2.PredictRequest.FromString(message.SerializeToString())


@pytest.mark.parametrize("array", [np.arange(24, dtype=">f4").reshape(2, 3, 4), np.arange(24).reshape(4, 6).T[::2]])
def test_arrays_of_any_order_are_written_as_they_are_meant(array):
    content = framing.predict_request(spec_of("m"), {"x": array})
    theirs = predict_pb2.PredictRequest.FromString(content)

    np.testing.assert_array_equal(tensors.decode(theirs.inputs["x"]), array)


@given(NAMED, st.integers(0, 2**62), st.booleans())
@settings(max_examples=150)
def test_an_answer_read_at_once_is_the_message(outputs, version, typed):
    response = predict_pb2.PredictResponse()
    response.model_spec.name, response.model_spec.version.value = "m", version
    for name, array in outputs.items():
        tensors.encode(array, response.outputs[name], typed=typed)
    found = answers.read_predict_response(response.SerializeToString())

    assert found.spec.version.value == version
    assert found.outputs.keys() == outputs.keys()
    assert all(same(found.outputs[name], array) for name, array in outputs.items())


@given(hnp.arrays(np.int64, st.integers(0, 40)) | hnp.arrays(np.int32, st.integers(0, 40)))
def test_whole_numbers_of_every_length_are_read(array):
    response = predict_pb2.PredictResponse()
    tensors.encode(array, response.outputs["y"], typed=True)

    assert same(answers.read_predict_response(response.SerializeToString()).outputs["y"], array)


def test_values_that_repeat_are_filled_up_as_tensorflow_does():
    response = predict_pb2.PredictResponse()
    response.outputs["y"].dtype = 1
    response.outputs["y"].tensor_shape.dim.add(size=4)
    response.outputs["y"].float_val.extend([1, 2])

    assert answers.read_predict_response(response.SerializeToString()).outputs["y"].tolist() == [1, 2, 2, 2]


def test_fields_that_come_in_pieces_or_one_by_one_are_put_together():
    """Writers may split a packed field, and need not pack it at all."""
    shape, dtype = b"\x12\x04\x12\x02\x08\x03", b"\x08\x01"
    pieces = b"\x2a\x04" + np.float32(1).tobytes() + b"\x2a\x08" + np.float32([2, 3]).tobytes()
    single = b"".join(b"\x2d" + np.float32(each).tobytes() for each in (1, 2, 3))
    for values in (pieces, single):
        tensor = dtype + shape + values
        entry = b"\x0a\x01y\x12" + bytes([len(tensor)]) + tensor

        found = answers.read_predict_response(b"\x0a" + bytes([len(entry)]) + entry)
        assert found.outputs["y"].tolist() == [1, 2, 3]


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_bytes_that_are_no_answer_are_refused_or_read_but_never_break(content):
    try:
        found = answers.read_predict_response(content)
    except ValueError:
        return
    assert isinstance(found.outputs, dict)
