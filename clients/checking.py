"""Inputs held against a signature before anything is sent, so that what is wrong has the caller's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clients import errors
from clients.wire import tensors
from model_config.errors import near_miss
from model_config.signatures import Signature, Tensor

Array = np.ndarray[Any, Any]


def fitted(
    inputs: Mapping[str, Any], signature: Signature, *, cast: bool = False, batch_sizes: Sequence[int] = ()
) -> dict[str, Array]:
    """The inputs as arrays that the signature takes; lists and plain numbers become arrays of its types.

    Args:
        inputs: arrays by input name.
        signature: what is wanted.
        cast: convert arrays of another type where numpy calls that safe, such as uint8 to float32.
        batch_sizes: what the version declares; a batch may be as large as the largest of them.

    Raises:
        WrongNames, WrongType, WrongShape, WrongBatch: with the input, what came and what is wanted.
    """
    _check_names(inputs, signature)
    arrays = {name: _typed(name, inputs[name], wanted, cast) for name, wanted in signature.inputs.items()}
    for name, array in arrays.items():
        _check_shape(name, array, signature.inputs[name])
    _check_batch(arrays, signature, batch_sizes)
    return arrays


def check_outputs(outputs: Sequence[str], signature: Signature) -> None:
    """WrongOutputs when one is not given, or named twice."""
    for place, name in enumerate(outputs):
        if name not in signature.outputs:
            raise errors.WrongOutputs(f"there is no output {name!r}; {near_miss(name, signature.outputs)}")
        if name in outputs[:place]:
            raise errors.WrongOutputs(f"output {name} is asked for twice; name it once")


def _check_names(inputs: Mapping[str, Any], signature: Signature) -> None:
    wanted = ", ".join(f"{name} {described(tensor)}" for name, tensor in signature.inputs.items())
    for name in inputs:
        if name not in signature.inputs:
            raise errors.WrongNames(f"there is no input {name!r}; wanted: {wanted}")
    missing = [name for name in signature.inputs if name not in inputs]
    if missing:
        raise errors.WrongNames(f"input {', '.join(missing)} is missing; wanted: {wanted}")


def _typed(name: str, value: Any, wanted: Tensor, cast: bool) -> Array:
    array = tensors.as_array(value)
    try:
        came = "string" if tensors.kind_of(array.dtype) is tensors.STRING else array.dtype.name
    except TypeError as error:
        raise errors.WrongType(f"input {name}: {error}; wanted is {described(wanted)}") from error
    if came == wanted.dtype:
        return array
    chosen = isinstance(value, (np.ndarray, np.generic))  # lists and plain numbers have no type of their own yet
    converted = _converted(array, wanted.dtype, chosen, cast)
    if converted is None:
        raise errors.WrongType(f"input {name} came as {came}, but {wanted.dtype} is wanted; {_mending(wanted)}")
    return converted


def _converted(array: Array, wanted: str, chosen: bool, cast: bool) -> Array | None:
    """The array in another type, where that is allowed and loses nothing that counts."""
    kind = next((kind for kind in tensors.KINDS if kind.dtype.name == wanted), None)
    if kind is None or array.dtype.kind in "OSU":
        return None
    if chosen:
        return array.astype(kind.dtype) if cast and np.can_cast(array.dtype, kind.dtype, "safe") else None
    with np.errstate(invalid="ignore", over="ignore"):
        converted = array.astype(kind.dtype)
    # a decimal number is meant as near as the type comes; a whole one exactly
    return converted if kind.dtype.kind in "fcV" or np.array_equal(converted, array) else None


def _mending(wanted: Tensor) -> str:
    if wanted.dtype == "string":
        return "send bytes or str, encoded pictures as the bytes of their files"
    return f'convert it with .astype("{wanted.dtype}"), or let safe conversions happen with cast=True'


def _check_shape(name: str, array: Array, wanted: Tensor) -> None:
    if wanted.shape is None:
        return
    came = list(array.shape)
    if array.ndim != len(wanted.shape):
        raise errors.WrongShape(
            f"input {name} came with {array.ndim} dimensions, {came}, but wanted is {described(wanted)}; "
            f"{'add the batch with [None]' if array.ndim + 1 == len(wanted.shape) else 'reshape it'}"
        )
    for axis, (size, fixed) in enumerate(zip(array.shape, wanted.shape)):
        if fixed is not None and size != fixed and not _is_batch(axis, wanted):
            raise errors.WrongShape(
                f"input {name} came as {came}, but wanted is {described(wanted)}; "
                f"dimension {axis} must be {fixed}, not {size}"
            )


def _is_batch(axis: int, wanted: Tensor) -> bool:
    """Whether an axis counts examples; a vector of fixed length and a scalar have none."""
    return axis == 0 and wanted.shape is not None and len(wanted.shape) > 1


def _check_batch(arrays: Mapping[str, Array], signature: Signature, declared: Sequence[int]) -> None:
    for name, array in arrays.items():
        wanted = signature.inputs[name]
        fixed = wanted.shape[0] if wanted.shape else None
        if wanted.shape is None or not array.ndim:
            continue
        size = len(array)
        if fixed is not None and size != fixed:
            raise errors.WrongBatch(
                f"input {name} came with a batch of {size}, but the version takes {fixed} at a time"
            )
        if fixed is None and size == 0:
            # servers that batch may answer an empty batch by ending
            raise errors.WrongBatch(f"input {name} came with an empty batch; send at least one")
        if fixed is None and declared and size > max(declared):
            raise errors.WrongBatch(
                f"input {name} came with a batch of {size}, but the version declares {_listed(declared)}; "
                f"send at most {max(declared)} at a time"
            )


def takes(signature: Signature, batch: int) -> bool:
    """Whether so many examples can be asked at a time: an input leaves their number open, or fixes this one."""
    shapes = [tensor.shape for tensor in signature.inputs.values()]
    return batch == 1 or any(shape is None or (shape and shape[0] in (None, batch)) for shape in shapes)


def require_batch(signature: Signature, batch: int) -> None:
    """WrongBatch where fewer examples would be answered than were counted, as some servers take any number."""
    if not takes(signature, batch):
        name, wanted = next(iter(signature.inputs.items()))
        raise errors.WrongBatch(
            f"input {name} is {described(wanted)}, which leaves no room for a batch of {batch}; "
            "ask for one example at a time"
        )


def _listed(sizes: Sequence[int]) -> str:
    return f"batches of {', '.join(map(str, sorted(sizes)))}"


def described(tensor: Tensor) -> str:
    """A tensor as users read it: ``float32 [any, 224, 224, 3]``."""
    if tensor.shape is None:
        return f"{tensor.dtype} of any shape"
    return f"{tensor.dtype} [{', '.join('any' if size is None else str(size) for size in tensor.shape)}]"
