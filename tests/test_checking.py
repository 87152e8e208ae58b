"""Inputs against a signature: what fits passes as it is, what does not is named with what came and what is wanted."""

from __future__ import annotations

import numpy as np
import pytest

from clients import checking
from clients.errors import WrongBatch, WrongNames, WrongOutputs, WrongShape, WrongType
from model_config.signatures import Signature, Tensor


def signature(dtype="float32", shape=(None, 3)):
    wanted = {"x": Tensor(dtype=dtype, shape=shape)}
    return Signature(method_name="m", inputs=wanted, outputs={"y": Tensor(dtype="float32", shape=None)})


def fitted(value, wanted=None, **options):
    return checking.fitted({"x": value}, wanted or signature(), **options)["x"]


def test_what_fits_passes_uncopied():
    array = np.ones((2, 3), np.float32)

    assert fitted(array) is array


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, r"input x is missing; wanted: x float32 \[any, 3\]"),
        ({"z": [[1, 2, 3]]}, r"no input 'z'; wanted: x float32 \[any, 3\]"),
        ({"x": [[1, 2, 3]], "z": 1}, "no input 'z'"),
    ],
)
def test_names_must_be_the_signatures(inputs, words):
    with pytest.raises(WrongNames, match=words):
        checking.fitted(inputs, signature())


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint8, np.bool_])
def test_an_array_of_another_type_is_not_converted_unasked(dtype):
    with pytest.raises(WrongType, match=f"input x came as {np.dtype(dtype).name}, but float32 is wanted"):
        fitted(np.ones((1, 3), dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16])
def test_safe_conversions_happen_when_asked_for(dtype):
    assert fitted(np.ones((1, 3), dtype), cast=True).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.complex64])
def test_conversions_that_may_lose_something_never_happen(dtype):
    with pytest.raises(WrongType):
        fitted(np.ones((1, 3), dtype), cast=True)


@pytest.mark.parametrize(
    ("value", "dtype"), [([[1, 2, 3]], "float32"), ([[0.1, 0.2, 0.3]], "float32"), ([[1, 2, 255]], "uint8")]
)
def test_lists_take_the_type_that_is_wanted(value, dtype):
    assert fitted(value, signature(dtype)).dtype == dtype


@pytest.mark.parametrize("value", [[[1, 2, 256]], [[1, 2, -1]], [[1.5, 2, 3]], [["1", "2", "3"]]])
def test_lists_that_do_not_fit_a_type_are_refused(value):
    with pytest.raises(WrongType, match="uint8 is wanted"):
        fitted(value, signature("uint8"))


@pytest.mark.parametrize("value", [[b"one", b"\xff"], ["eins", "zwei"], np.array(["a"]), np.array([b"a"], object)])
def test_strings_are_bytes_or_text(value):
    fitted(value, signature("string", (None,)))


def test_bytes_keep_their_last_zeros():
    assert fitted([b"\xff\0", b"\0"], signature("string", (None,))).tolist() == [b"\xff\0", b"\0"]


def test_numbers_for_strings_say_how_pictures_are_sent():
    with pytest.raises(WrongType, match="string is wanted; send bytes or str, encoded pictures as the bytes"):
        fitted(np.zeros((1,), np.uint8), signature("string", (None,)))


def test_what_tensorflow_has_no_type_for_is_refused():
    with pytest.raises(WrongType, match="no type for numpy's datetime64"):
        fitted(np.array(["2020-01-01"], "datetime64[D]"))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((3,), r"1 dimensions, \[3\], but wanted is float32 \[any, 3\]; add the batch with \[None\]"),
        ((), "0 dimensions"),
        ((1, 1, 3), r"3 dimensions, \[1, 1, 3\].*reshape it"),
        ((2, 4), r"came as \[2, 4\], but wanted is float32 \[any, 3\]; dimension 1 must be 3, not 4"),
    ],
)
def test_rank_and_fixed_sizes_must_be_the_signatures(shape, words):
    with pytest.raises(WrongShape, match=words):
        fitted(np.ones(shape, np.float32))


@pytest.mark.parametrize("shape", [(), (3,), (2, 4)])
def test_any_shape_fits_where_the_signature_names_none(shape):
    fitted(np.ones(shape, np.float32), signature(shape=None))


def test_a_scalar_and_a_vector_of_fixed_length_have_no_batch():
    fitted(np.float32(1), signature(shape=()))
    with pytest.raises(WrongShape, match="dimension 0 must be 3, not 4"):
        fitted(np.ones(4, np.float32), signature(shape=(3,)))


@pytest.mark.parametrize(
    ("shape", "batch", "declared", "words"),
    [
        ((None, 3), 0, (), "empty batch; send at least one"),
        ((None, 3), 9, (1, 8), r"batch of 9, but the version declares batches of 1, 8; send at most 8"),
        ((4, 3), 1, (), "batch of 1, but the version takes 4 at a time"),
    ],
)
def test_batches_stay_within_what_the_version_takes(shape, batch, declared, words):
    with pytest.raises(WrongBatch, match=words):
        fitted(np.ones((batch, 3), np.float32), signature(shape=shape), batch_sizes=declared)


@pytest.mark.parametrize("batch", [1, 5, 8])
def test_a_smaller_batch_than_the_largest_declared_is_fine(batch):
    fitted(np.ones((batch, 3), np.float32), batch_sizes=(1, 8))


@pytest.mark.parametrize(
    ("outputs", "words"), [(["z"], "no output 'z'; known: y"), (["y", "y"], "y is asked for twice")]
)
def test_outputs_must_be_the_signatures(outputs, words):
    with pytest.raises(WrongOutputs, match=words):
        checking.check_outputs(outputs, signature())
