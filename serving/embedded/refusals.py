"""What the stock server says when it refuses, in its own words and codes (measured on 2.17.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import grpc

# how TensorFlow's C++ spells the types that Python calls otherwise
_SPELLING = {"float32": "float", "float64": "double", "float16": "half"}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
INTERNAL = grpc.StatusCode.INTERNAL
_PYTHONS = "Graph execution error:\n\n"
_NO_SUCH_OP = "Op type not registered"


class Refusal(Exception):
    """An answer other than OK."""

    def __init__(self, code: grpc.StatusCode, text: str, remedy: str = "") -> None:
        """Keep the gRPC code, the stock server's text, and what to do, which only this server's own user reads."""
        super().__init__(text)
        self.code = code
        self.text = text
        self.remedy = remedy

    @property
    def sentence(self) -> str:
        """Code, text and remedy on one line."""
        told = f"{self.code.name}: {' '.join(self.text.split())}"
        return f"{told}; {self.remedy}" if self.remedy else told


def of(error: Exception) -> Refusal:
    """What TensorFlow or anything below it raised, with TensorFlow's own code where there is one."""
    if isinstance(error, Refusal):
        return error
    code = getattr(error, "error_code", None)
    text = str(getattr(error, "message", error))
    # said in front of every text by TensorFlow's Python, not by its C++
    text = text[len(_PYTHONS) :] if text.startswith(_PYTHONS) else text
    return Refusal(_CODES.get(code, grpc.StatusCode.UNKNOWN), text)


def of_loading(error: Exception) -> Refusal:
    """The same for a version that could not be loaded; TensorFlow's Python loader raises some of it without a code."""
    if isinstance(error, MemoryError):
        return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "out of memory while loading")
    text = str(error.args[0]) if isinstance(error, (KeyError, ValueError)) and error.args else str(error)
    if _NO_SUCH_OP in text:
        return not_found(text, "serve it where its custom operations are registered, or build it without them")
    return of(error)


def invalid(text: str, remedy: str = "") -> Refusal:
    """INVALID_ARGUMENT."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, text, remedy)


def not_found(text: str, remedy: str = "") -> Refusal:
    """NOT_FOUND."""
    return Refusal(grpc.StatusCode.NOT_FOUND, text, remedy)


def precondition(text: str, remedy: str = "") -> Refusal:
    """FAILED_PRECONDITION."""
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, text, remedy)


def no_servable(name: str, version: int | None) -> Refusal:
    """No such model, or no such version of it, is available now."""
    wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return not_found(f"Servable not found for request: {wanted}")


def no_signature(name: str) -> Refusal:
    """The model has no such signature."""
    return precondition(f'Serving signature key "{name}" not found.')


def wrong_inputs(sent: Collection[str], wanted: Collection[str]) -> Refusal:
    """Another number of inputs than the signature has."""
    extra, missing = set(sent) - set(wanted), set(wanted) - set(sent)
    return invalid(
        f"input size does not match signature: {len(sent)}!={len(wanted)} len({_set(sent)}) != len({_set(wanted)}). "
        f"Sent extra: {_set(extra)}. Missing but required: {_set(missing)}."
    )


def missing_input(alias: str, tensor: str, sent: Iterable[str]) -> Refusal:
    """The right number of inputs, but not this one."""
    return invalid(
        f"Signature input alias: {alias}(feed name: {tensor}) not found in request and no default value provided. "
        f"Inputs expected to be in the request {_set(sent)}, or default input alias set: "
    )


def wrong_type(place: int, wanted: Any, sent: Any) -> Refusal:
    """An input of another type (tf.DType) than the signature's."""
    return invalid(f"Expects arg[{place}] to be {_spelled(wanted)} but {_spelled(sent)} is provided")


def unknown_output(alias: str, known: Iterable[str]) -> Refusal:
    """The output filter names something the signature does not give."""
    return invalid(
        f"output tensor alias not found in signature: {alias} Outputs expected to be in the set {_set(known)}."
    )


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _spelled(dtype: Any) -> str:
    return str(_SPELLING.get(dtype.name, dtype.name))
