"""Requests on file: the warm-up records that a build writes, read without TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from clients import recorded
from converters.checking import warm_up
from converters.checking.warm_up import Request
from model_config.errors import SuiteError


def written(path, *shapes, signature="serving_default"):
    """Records of a request each; the numbers in them go on from one to the next."""
    arrays = [np.full(shape, place, np.float32) for place, shape in enumerate(shapes)]
    path = path / "assets.extra" / "requests"
    warm_up.write([Request(signature, len(each), {"x": each}, "made up") for each in arrays], "m", path)
    return path


def test_the_examples_of_all_requests_to_a_signature_are_its_rows(tmp_path):
    rows = recorded.rows(written(tmp_path, (1, 3), (2, 3)), "")

    assert {name: array.tolist() for name, array in rows.items()} == {"x": [[0] * 3, [1] * 3, [1] * 3]}


def test_requests_to_another_signature_are_named(tmp_path):
    path = written(tmp_path, (1, 3), signature="small")

    assert len(recorded.rows(path, "small")["x"]) == 1
    with pytest.raises(SuiteError, match="no request to serving_default, but to small"):
        recorded.rows(path, "")


def test_requests_of_different_shapes_are_no_rows(tmp_path):
    with pytest.raises(SuiteError, match="differ in more than their number of examples"):
        recorded.rows(written(tmp_path, (1, 3), (1, 4)), "")


@pytest.mark.parametrize("kept", [3, 11, 40, -1])
def test_a_file_that_was_cut_is_one_sentence(tmp_path, kept):
    path = written(tmp_path, (1, 3), (1, 3))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SuiteError, match="as recorded requests"):
        list(recorded.requests(path))


def test_a_file_that_is_something_else_or_not_there_is_one_sentence(tmp_path):
    (tmp_path / "text").write_text("this is no record, but long enough to be taken for one at first sight")
    with pytest.raises(SuiteError, match="as recorded requests"):
        list(recorded.requests(tmp_path / "text"))
    with pytest.raises(SuiteError, match="no such file"):
        list(recorded.requests(tmp_path / "nothing"))
