"""What is asked: requests serialised once, before any clock starts, from pictures, recorded or random tensors."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from clients import recorded
from clients.client import predict_request
from clients.spec import DEFAULT_SIGNATURE
from clients.wire import serving_pb2 as wire
from model_config.errors import SuiteError
from model_config.signatures import Signature, Tensor

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

_DIFFERENT = 8  # random requests, so that nothing is answered from a cache of one
_MOST_BYTES = 2**26  # of them together


@dataclass(frozen=True)
class Payload:
    """Serialised requests that take turns.

    Attributes:
        messages: PredictRequests as they go over the wire.
        tails: what an answer of the right version may end in.
    """

    messages: Sequence[bytes]
    tails: Sequence[bytes]


def requests(
    model: str, inputs: Iterable[Arrays], version: int | None, signature: str = ""
) -> list[wire.PredictRequest]:
    """Requests to one version (the latest when None) for all outputs."""
    return [predict_request(model, arrays, version=version, signature=signature) for arrays in inputs]


def of_requests(requests: Sequence[wire.PredictRequest]) -> Payload:
    """Finished requests to one version."""
    return Payload([request.SerializeToString() for request in requests], _tails(requests[0].model_spec))


def _tails(spec: wire.ModelSpec) -> list[bytes]:
    """The model_spec that ends an answer; which signature it names differs between servers."""
    if not spec.HasField("version"):
        return [b""]
    tails = []
    for signature in dict.fromkeys((spec.signature_name or DEFAULT_SIGNATURE, spec.signature_name)):
        answered = wire.ModelSpec(name=spec.name, version=spec.version, signature_name=signature)
        tails.append(wire.PredictResponse(model_spec=answered).SerializeToString())
    return tails


def recorded_inputs(file: Path, batch: int, signature: str = "") -> list[Arrays]:
    """Batches of what a file holds, one row an example; rows repeat to fill the last.

    Args:
        file: an .npz of arrays by input name, or requests as ``recorded`` reads them.
        batch: rows of each.
        signature: of the requests; the default one when empty.
    """
    arrays = _saved(file) if file.suffix == ".npz" else recorded.rows(file, signature)
    rows = {len(array) if array.ndim else 0 for array in arrays.values()}
    if len(rows) != 1 or 0 in rows:
        raise SuiteError(f"the arrays in {file} must have one number of rows above 0, not {sorted(rows)}")
    number = rows.pop()
    starts = range(0, number, batch)
    places = [np.arange(start, start + batch) % number for start in starts]
    return [{name: array[place] for name, array in arrays.items()} for place in places]


def _saved(file: Path) -> Arrays:
    try:
        with np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise SuiteError(f"cannot read {file} as an .npz of arrays by input name: {error}") from error


def random_inputs(signature: Signature, batch: int, sizes: Sequence[int], seed: int) -> Iterator[Arrays]:
    """Inputs that fit a signature, for ever.

    Args:
        sizes: for the dimensions that the signature leaves open behind the batch, in turn, such as 300, 300.

    Raises:
        SuiteError: an input cannot be made up.
    """
    rng = np.random.default_rng(seed)
    shapes = {name: _shape(name, tensor, batch, sizes) for name, tensor in signature.inputs.items()}
    most = max((_open_sizes(tensor) for tensor in signature.inputs.values()), default=0)
    if len(sizes) > most:
        raise SuiteError(f"--size gives {len(sizes)} sizes, but no input leaves more than {most} open behind the batch")
    while True:
        yield {name: _random(name, signature.inputs[name].dtype, shape, rng) for name, shape in shapes.items()}


def _shape(name: str, tensor: Tensor, batch: int, sizes: Sequence[int]) -> tuple[int, ...]:
    if tensor.shape is None:
        raise SuiteError(f"input {name} has any rank, so random numbers cannot fill it; give --data FILE.npz")
    open_sizes = iter(sizes)
    shape = [batch if tensor.shape and tensor.shape[0] is None else size for size in tensor.shape[:1]]
    try:
        shape += [next(open_sizes) if size is None else size for size in tensor.shape[1:]]
    except StopIteration:
        told = "x".join("?" if size is None else str(size) for size in tensor.shape)
        raise SuiteError(
            f"input {name} is {told}, and sizes behind the batch are open; give them with --size, as 300x300"
        ) from None
    return tuple(size for size in shape if size is not None)


def _open_sizes(tensor: Tensor) -> int:
    return sum(size is None for size in (tensor.shape or ())[1:])


def _random(name: str, dtype: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if dtype == "string":
        raise SuiteError(f"input {name} takes strings, which cannot be made up; give --image or --data FILE.npz")
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith(("int", "uint")):
        highest = 256 if dtype == "uint8" else 2 if dtype == "int8" else 100
        return rng.integers(0, highest, shape).astype(dtype)
    return rng.random(shape, np.float32).astype(dtype)


def enough(inputs: Iterator[Arrays]) -> list[Arrays]:
    """The first few of random inputs, fewer where they are large."""
    first = next(inputs)
    size = max(1, sum(array.nbytes for array in first.values()))
    return [first, *itertools.islice(inputs, min(_DIFFERENT, _MOST_BYTES // size) - 1)]
