"""Predict: what the real server answered to requests right and wrong, in its own text."""

from __future__ import annotations

import re

import numpy as np

from serving.conformance.case import Row, rows
from serving.conformance.questions import X, predict, tensor

A, B = np.array([1, 2, 3], np.int32), np.array([1, 2, 3], np.int32)
_SHAPE = "dtype: DT_FLOAT tensor_shape { dim { size: 2 } dim { size: 3 } }"
_NODE = "\n\t [[{{node StatefulPartitionedCall/StatefulPartitionedCall/add}}]]"


def answer(values: str, version: int = 2, shape: str = "dim { size: 2 } dim { size: 2 }") -> str:
    """What dense answers, as protobuf text."""
    floats = "".join(f"float_val: {value} " for value in values.split())
    return (
        f'outputs {{ key: "y" value {{ dtype: DT_FLOAT tensor_shape {{ {shape} }} {floats}}} }} '
        f'model_spec {{ name: "dense" version {{ value: {version} }} signature_name: "serving_default" }}'
    )


def _added(output: str, values: list[int]) -> str:
    numbers = " ".join(f"int_val: {value}" for value in values)
    shape = f"tensor_shape {{ dim {{ size: {len(values)} }} }}"
    return f'outputs {{ key: "{output}" value {{ dtype: DT_INT32 {shape} {numbers} }} }} '


_ADD = 'model_spec { name: "dense" version { value: 2 } signature_name: "add" }'
_SLEN = 'model_spec { name: "dense" version { value: 2 } signature_name: "slen" }'


def _half(shape: str, values: str) -> str:
    floats = "".join(f"float_val: {value} " for value in values.split())
    return (
        f'outputs {{ key: "y" value {{ dtype: DT_FLOAT tensor_shape {{ {shape}}} {floats}}} }} '
        'model_spec { name: "half_plus_two" version { value: 123 } signature_name: "serving_default" }'
    )


WHICH: dict[str, Row] = {
    "the latest": (predict(), "OK", answer("23.0 27.0 50.0 63.0")),
    "a version": (predict(version=1), "OK", answer("22.5 27.5 49.5 63.5", 1)),
    "a label": (predict(label="stable"), "OK", answer("22.5 27.5 49.5 63.5", 1)),
    "unknown label": (
        predict(label="nolabel"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: nolabel",
    ),
    "no model_spec": (predict(None), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "empty name": (predict(""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "unknown model": (predict("nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    "unknown model and version": (
        predict("nope", version=7),
        "NOT_FOUND",
        "Servable not found for request: Specific(nope, 7)",
    ),
    "unknown model and label": (
        predict("nope", label="stable"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: stable",
    ),
    "unknown version": (predict(version=99), "NOT_FOUND", "Servable not found for request: Specific(dense, 99)"),
    "negative version": (predict(version=-1), "NOT_FOUND", "Servable not found for request: Specific(dense, -1)"),
    "unknown signature": (
        predict(signature="nosig"),
        "FAILED_PRECONDITION",
        'Serving signature key "nosig" not found.',
    ),
}

INPUTS: dict[str, Row] = {
    "none": (
        predict(inputs={}),
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
    ),
    "one of two": (
        predict(inputs={"a": A}, signature="add"),
        "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
    ),
    "wrong name": (
        predict(inputs={"z": X}),
        "INVALID_ARGUMENT",
        "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value provided. "
        "Inputs expected to be in the request {z}, or default input alias set: ",
    ),
    "one too many": (
        predict(inputs={"x": X, "extra": X}),
        "INVALID_ARGUMENT",
        "input size does not match signature: 2!=1 len({extra,x}) != len({x}). Sent extra: {extra}. "
        "Missing but required: {}.",
    ),
    "int32 for float": (
        predict(inputs={"x": X.astype(np.int32)}),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but int32 is provided",
    ),
    "double for float": (
        predict(inputs={"x": X.astype(np.float64)}),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but double is provided",
    ),
    "string for float": (
        predict(inputs={"x": np.array([b"x"], object)}),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but string is provided",
    ),
    "[2,4] for [?,3]": (
        predict(inputs={"x": np.ones((2, 4), np.float32)}),
        "INVALID_ARGUMENT",
        "Matrix size-incompatible: In[0]: [2,4], In[1]: [3,2]" + _NODE,
    ),
    **{
        f"{list(shape)} for [?,3]": (
            predict(inputs={"x": np.ones(shape, np.float32)}),
            "INVALID_ARGUMENT",
            "In[0] is not a matrix" + _NODE,
        )
        for shape in ((3,), (), (1, 1, 3))
    },
    "batch of 0": (predict(inputs={"x": X[:0]}), "OK", answer("", shape="dim { } dim { size: 2 }")),
    "2 rows and 3": (
        predict(inputs={"a": A[:2], "b": B}, signature="add"),
        "INVALID_ARGUMENT",
        re.compile(
            r"Incompatible shapes: \[2\] vs\. \[3\]\n\t "
            r"\[\[\{\{function_node __inference_add_\d+\}\}\{\{node (add|sub)\}\}\]\]"
        ),
    ),
    "1 row and 3": (
        predict(inputs={"a": A[:1], "b": B}, signature="add"),
        "OK",
        _added("diff", [0, -1, -2]) + _added("sum", [2, 3, 4]) + _ADD,
    ),
    "two of three rows": (
        predict(inputs={"a": A, "b": B}, signature="add"),
        "OK",
        _added("diff", [0, 0, 0]) + _added("sum", [2, 4, 6]) + _ADD,
    ),
}

TENSORS: dict[str, Row] = {
    "content of the wrong length": (
        tensor(f'{_SHAPE} tensor_content: "12345"'),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "typed values": (
        tensor(f"{_SHAPE} float_val: [1, 2, 3, 4, 5, 6]"),
        "OK",
        answer("23.0 27.0 50.0 63.0"),
    ),
    "fewer values than the shape": (tensor(f"{_SHAPE} float_val: [1, 2]"), "OK", answer("18.0 21.0 19.0 23.0")),
    "more values than the shape": (
        tensor("dtype: DT_FLOAT tensor_shape { dim { size: 1 } dim { size: 3 } } float_val: [1, 2, 3, 4, 5]"),
        "OK",
        answer("23.0 27.0", shape="dim { size: 1 } dim { size: 2 }"),
    ),
    "no values at all": (
        tensor("dtype: DT_FLOAT tensor_shape { dim { size: 1 } dim { size: 3 } }"),
        "OK",
        answer("1.0 -1.0", shape="dim { size: 1 } dim { size: 2 }"),
    ),
    "a size of -1": (
        tensor("dtype: DT_FLOAT tensor_shape { dim { size: -1 } dim { size: 3 } } float_val: [1, 2, 3]"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "unknown rank": (
        tensor("dtype: DT_FLOAT tensor_shape { unknown_rank: true } float_val: [1, 2, 3]"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "no type": (
        tensor("tensor_shape { dim { size: 1 } } float_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "a type there is not": (
        tensor("dtype: 99 tensor_shape { dim { size: 1 } } float_val: 1"),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
}

OUTPUTS: dict[str, Row] = {
    "one of two": (
        predict(inputs={"a": A[:1], "b": B[:1]}, outputs=["sum"], signature="add"),
        "OK",
        _added("sum", [2]) + _ADD,
    ),
    "unknown": (
        predict(inputs={"a": A, "b": B}, outputs=["nope"], signature="add"),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: nope Outputs expected to be in the set {diff,sum}.",
    ),
    "named twice": (
        predict(inputs={"a": A, "b": B}, outputs=["sum", "sum"], signature="add"),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: sum",
    ),
    "strings": (
        predict(inputs={"s": np.array([b"abc", b"\xff\x00"], object)}, signature="slen"),
        "OK",
        r'outputs { key: "echo" value { dtype: DT_STRING tensor_shape { dim { size: 2 } } '
        r'string_val: "abc" string_val: "\377\000" } } ' + _added("n", [3, 2]) + _SLEN,
    ),
    "no strings": (
        predict(inputs={"s": np.array([], object)}, signature="slen"),
        "OK",
        'outputs { key: "echo" value { dtype: DT_STRING tensor_shape { dim { } } } } '
        'outputs { key: "n" value { dtype: DT_INT32 tensor_shape { dim { } } } } ' + _SLEN,
    ),
}


def _to_half(array: np.ndarray) -> object:  # type: ignore[type-arg]
    return predict("half_plus_two", {"x": array.astype(np.float32)})


HALF_PLUS_TWO: dict[str, Row] = {
    "a list": (_to_half(np.array([1, 2])), "OK", _half("dim { size: 2 } ", "2.5 3.0")),
    "a column": (_to_half(np.array([[1], [2]])), "OK", _half("dim { size: 2 } dim { size: 1 } ", "2.5 3.0")),
    "a scalar": (_to_half(np.array(3)), "OK", _half("", "3.5")),
    "batch of 0": (_to_half(np.array([])), "OK", _half("dim { } ", "")),
    "a signature for examples": (
        predict("half_plus_two", {"inputs": np.array([b"x"], object)}, signature="classify_x_to_y"),
        "INVALID_ARGUMENT",
        "Could not parse example input, value: 'x'\n\t [[{{node ParseExample/ParseExample}}]]",
    ),
}

for _group, _table in (
    ("which", WHICH),
    ("inputs", INPUTS),
    ("tensor", TENSORS),
    ("outputs", OUTPUTS),
    ("half_plus_two", HALF_PLUS_TWO),
):
    rows(f"Predict, {_group}", _table)
