"""Our tensors are TensorFlow's, byte for byte."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework.tensor_pb2 import TensorProto as TheirTensor

from clients.wire import tensors
from clients.wire.serving_pb2 import TensorProto as OurTensor

NUMERIC = [kind.dtype for kind in tensors.KINDS if kind is not tensors.STRING]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def numbers(draw):
    """Any bit pattern of any numeric type and shape, infinities and ordinary NaNs included."""
    dtype = draw(st.sampled_from(NUMERIC))
    shape = draw(SHAPES)
    size = int(np.prod(shape)) * dtype.itemsize
    content = draw(st.binary(min_size=size, max_size=size))
    if dtype == np.bool_:
        content = bytes(byte & 1 for byte in content)
    array = np.frombuffer(content, dtype).copy()
    if dtype.kind in "fcV":
        with np.errstate(invalid="ignore"):
            array[array != array] = np.float32("nan")  # processors change signalling ones on their way
    return array.reshape(shape)


STRINGS = hnp.arrays(np.object_, SHAPES, elements=st.binary(max_size=5))
ARRAYS = st.one_of(numbers(), STRINGS)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype == np.object_:
        return one.shape == other.shape and one.tolist() == other.tolist()
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@given(ARRAYS)
@settings(max_examples=400)
def test_what_we_write_is_what_tensorflow_writes(array):
    theirs = tf.make_tensor_proto(array, shape=array.shape)
    # bool, uint16 and complex it writes one by one, though it reads them as a block too
    assume(theirs.tensor_content or array.size <= 1 or array.dtype == np.object_)

    assert tensors.encode(array).SerializeToString() == theirs.SerializeToString()


@given(ARRAYS, st.booleans())
@settings(max_examples=400)
def test_tensorflow_reads_what_we_write(array, typed):
    ours = tensors.encode(array, typed=typed).SerializeToString()
    theirs = TheirTensor.FromString(ours)

    assert theirs.SerializeToString() == ours
    assert same(tf.make_ndarray(theirs), array)


@given(ARRAYS, st.booleans())
@settings(max_examples=400)
def test_we_read_what_tensorflow_writes(array, typed):
    theirs = (
        tensors.encode(array, TheirTensor(), typed=typed) if typed else tf.make_tensor_proto(array, shape=array.shape)
    )
    ours = OurTensor.FromString(theirs.SerializeToString())

    assert ours.SerializeToString() == theirs.SerializeToString()
    assert same(tensors.decode(ours), array)


@pytest.mark.parametrize("dtype", [">f4", ">i8", ">u2"])
def test_the_byte_order_of_the_array_does_not_matter(dtype):
    array = np.arange(6, dtype=dtype).reshape(2, 3)

    np.testing.assert_array_equal(tensors.decode(tensors.encode(array)), array)


@pytest.mark.parametrize(
    ("value", "sent"),
    [([b"a\0", b"\0\0"], [b"a\0", b"\0\0"]), ([["a\0"], ["b"]], [[b"a\0"], [b"b"]]), (b"a\0", b"a\0")],
)
def test_strings_keep_their_last_zero_bytes(value, sent):
    assert tensors.decode(tensors.encode(value)).tolist() == sent


def test_text_is_sent_as_utf8():
    assert tensors.decode(tensors.encode(np.array(["é", "x"]))).tolist() == ["é".encode(), b"x"]


@pytest.mark.parametrize(
    ("number", "dtype"), [(11, np.int8), (12, np.uint8), (13, np.int32), (15, np.int16), (16, np.uint16)]
)
def test_quantized_types_are_read_as_the_integers_they_are(number, dtype):
    proto = OurTensor(dtype=number, int_val=[1, 2])
    proto.tensor_shape.dim.add(size=2)

    assert same(tensors.decode(proto), np.array([1, 2], dtype))


def test_fewer_values_than_the_shape_repeat_the_last():
    proto = OurTensor(dtype=1, float_val=[2.0, 3.0])
    proto.tensor_shape.dim.add(size=4)

    assert tensors.decode(proto).tolist() == [2.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize("spoil", [{"dtype": 0}, {"dtype": 20}, {"dtype": 1, "tensor_content": b"12345"}])
def test_what_makes_no_tensor_is_refused(spoil):
    proto = OurTensor(**spoil)
    proto.tensor_shape.dim.add(size=3)

    with pytest.raises(ValueError, match=r"tensor|buffer"):
        tensors.decode(proto)


@pytest.mark.parametrize("size", [-1])
def test_an_unknown_size_is_refused(size):
    proto = OurTensor(dtype=1)
    proto.tensor_shape.dim.add(size=size)

    with pytest.raises(ValueError, match="not a tensor"):
        tensors.decode(proto)


def test_a_type_tensorflow_lacks_is_refused():
    with pytest.raises(TypeError, match="datetime64"):
        tensors.encode(np.array(["2020-01-01"], "datetime64[D]"))


def test_a_string_tensor_of_other_objects_is_refused():
    with pytest.raises(TypeError, match="int"):
        tensors.encode(np.array([1, b"x"], object))


def test_bfloat16_survives():
    array = np.array([[1.5, -2.0]], ml_dtypes.bfloat16)

    assert same(tensors.decode(tensors.encode(array, typed=True)), array)
