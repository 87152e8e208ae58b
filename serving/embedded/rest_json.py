"""Tensors as JSON: by row or by column, bytes as base64."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from clients.wire import tensors
from serving.embedded import refusals
from serving.embedded.model_spec import DEFAULT_SIGNATURE
from serving.embedded.signature import Signature

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

_BASE64 = "b64"
_BYTES = "_bytes"  # outputs of such names are sent as base64


class Request(NamedTuple):
    """A body: rows (``instances``), or columns (``inputs``) where not ``by_row``."""

    signature: str
    values: Any
    by_row: bool


class Given(NamedTuple):
    """An input out of JSON."""

    number: int
    array: np.ndarray[Any, Any]

    def tensor(self) -> tuple[int, np.ndarray[Any, Any]]:
        """Its data type's number and its values."""
        return self.number, self.array


def document(body: bytes) -> dict[str, Any]:
    """A body as the object that it must be; Refusal says what is wrong with it."""
    if not body:
        raise refusals.invalid("JSON Parse error: The document is empty")
    try:
        found = json.loads(body)
    except ValueError as error:
        place = getattr(error, "pos", 0)
        raise refusals.invalid(f"JSON Parse error: Invalid value. at offset: {place}") from error
    if not isinstance(found, dict):
        raise wrong(found, "Is not object")
    return found


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature that a body asks, the default one where it names none."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise wrong(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return name or DEFAULT_SIGNATURE


def wrong(value: Any, why: str) -> refusals.Refusal:
    """What the stock server says of a value that is not as it should be."""
    return refusals.invalid(f"JSON Value: {json.dumps(value, indent=4, ensure_ascii=False)} {why}")


def read(body: bytes) -> Request:
    """Understand what Predict is asked with; Refusal says what is wrong with it."""
    found = document(body)
    keys = [key for key in ("instances", "inputs") if key in found]
    if not keys:
        raise refusals.invalid("Missing 'inputs' or 'instances' key")
    if len(keys) > 1:
        raise wrong(found, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ")
    (key,) = keys
    if key == "instances" and not isinstance(found[key], list):
        raise wrong(found, "Excepting 'instances' to be an list/array")
    if key == "instances" and not found[key]:
        raise wrong(found, "No values in 'instances' array")
    return Request(signature_name(found), found[key], key == "instances")


def inputs(request: Request, signature: Signature) -> Mapping[str, Given]:
    """The arrays of a request, in the types of the signature."""
    named = _columns(request, signature)
    return {name: _given(name, value, signature) for name, value in named.items()}


def _columns(request: Request, signature: Signature) -> Mapping[str, Any]:
    values = request.values
    if not request.by_row:
        return values if _is_named(values) else {_only(signature): values}
    if not any(map(_is_named, values)):
        return {_only(signature): values}
    if not all(_is_named(row) and row.keys() == values[0].keys() for row in values):
        raise refusals.invalid("Failed to process elements of 'instances' list: all must have the same keys")
    return {name: [row[name] for row in values] for name in values[0]}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def is_base64(value: Any) -> bool:
    """Whether a value stands for bytes."""
    return isinstance(value, dict) and value.keys() == {_BASE64} and isinstance(value[_BASE64], str)


def from_base64(value: Mapping[str, str]) -> bytes:
    """The bytes that a value stands for; Refusal when it does not."""
    try:
        return base64.b64decode(value[_BASE64], validate=True)
    except binascii.Error as error:
        raise refusals.invalid("Unable to base64 decode") from error


def _only(signature: Signature) -> str:
    if len(signature.inputs) != 1:
        raise refusals.invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required"
        )
    return signature.inputs[0]


def _given(name: str, value: Any, signature: Signature) -> Given:
    if name not in signature.inputs:
        return Given(0, np.empty(0))  # refused with all names, in the words for that
    number = signature.proto.inputs[name].dtype
    kind = tensors.BY_NUMBER[number]
    try:
        if kind is tensors.STRING:
            return Given(number, _strings(value))
        array = np.asarray(value)
        if not _fits(array, kind.dtype):
            raise ValueError(array.dtype.name)
        return Given(number, array.astype(kind.dtype))
    except (ValueError, TypeError, OverflowError) as error:
        wanted = "string" if kind is tensors.STRING else kind.dtype.name
        raise refusals.invalid(
            f"Failed to process input {name}: JSON value is not of expected type: {wanted}"
        ) from error


def _fits(array: np.ndarray[Any, Any], wanted: np.dtype[Any]) -> bool:
    if not array.size:
        return True
    if wanted.kind in "iu":
        limits = np.iinfo(wanted)
        return array.dtype.kind in "iu" and bool(array.min() >= limits.min and array.max() <= limits.max)
    return array.dtype.kind == "b" if wanted.kind == "b" else array.dtype.kind in "iuf"


def _strings(value: Any) -> np.ndarray[Any, Any]:
    flat: list[bytes] = []
    shape = _collect(value, flat)
    array = np.empty(len(flat), np.object_)
    array[:] = flat
    return array.reshape(shape)


def _collect(value: Any, into: list[bytes]) -> tuple[int, ...]:
    if isinstance(value, list):
        shapes = {_collect(each, into) for each in value}
        if len(shapes) > 1:
            raise ValueError("rows of different sizes")
        return (len(value), *(shapes.pop() if shapes else ()))
    if isinstance(value, str):
        into.append(value.encode())
    elif is_base64(value):
        into.append(from_base64(value))
    else:
        raise ValueError("neither a string nor base64")
    return ()


def write(outputs: Arrays, *, by_row: bool) -> bytes:
    """The answer in the form of the request."""
    plain = {name: _plain(name, array) for name, array in outputs.items()}
    if not by_row:
        return _dump({"outputs": next(iter(plain.values())) if len(plain) == 1 else plain})
    rows = {len(array) if array.ndim else None for array in outputs.values()}
    if len(rows) > 1 or None in rows:
        raise refusals.invalid("outputs have no batch in common; ask by column with 'inputs' instead of 'instances'")
    if len(plain) == 1:
        return _dump({"predictions": next(iter(plain.values()))})
    return _dump({"predictions": [dict(zip(plain, row)) for row in zip(*plain.values())]})


def _plain(name: str, array: np.ndarray[Any, Any]) -> Any:
    if array.dtype == np.object_:
        return _texts(array.tolist(), name.endswith(_BYTES))
    if array.dtype.kind == "f":
        return short(array)
    return array.tolist()


def short(array: np.ndarray[Any, Any]) -> Any:
    """The few digits that make each number, not those of its double."""
    return array.astype(str).astype(np.float64).tolist()


def _texts(value: Any, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_texts(each, as_base64) for each in value]
    try:
        return {_BASE64: base64.b64encode(value).decode()} if as_base64 else value.decode()
    except UnicodeDecodeError:
        return _texts(value, True)


def results(found: Sequence[Any]) -> bytes:
    """The answer of Classify and Regress, one result for each example."""
    return _dump({"results": found})


def error(text: str) -> bytes:
    """A refusal."""
    return _dump({"error": text})


def _dump(value: Any) -> bytes:
    return json.dumps(value, indent=4, ensure_ascii=False).encode() + b"\n"
