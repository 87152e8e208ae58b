"""What is in a model: its signatures or what it could be fed and asked through, its operations and weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from converters import graphs, sources
from converters.sources import ends as ends_of
from converters.sources import operations
from model_config.models import Model
from model_config.signatures import Signature

# what counts, indexes or names is no parameter
_NO_PARAMETERS: Final = frozenset({"bool", "int32", "int64", "string", "resource", "variant"})


def inspect(path: Path, **choices: Any) -> dict[str, Any]:
    """Format, signatures (or candidates for one, with the reason), operations by type, weights by data type."""
    source = sources.locate(Model(name="inspected", source=path, **choices))
    contents = sources.look(source)
    graph_def = contents.graph_def
    signatures = {key: asdict(graphs.plain(value)) for key, value in sorted(contents.signatures.items())}
    return {
        "path": str(path),
        "format": source.format,
        "signatures": signatures,
        "candidates": [] if signatures else _candidates(graph_def, path),
        "operations": dict(Counter(node.op for node in graphs.nodes(graph_def)).most_common()),
        **_weights([*_constants(graph_def), *contents.variables]),
    }


def ends(found: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Every input and output: signature (of a candidate: the reason), side, name, type, shape (``?`` for any size)."""
    for key, signature in found["signatures"].items():
        for side in ("inputs", "outputs"):
            for name, tensor in signature[side].items():
                yield key, side[:-1], name, tensor["dtype"], _shape(tensor["shape"])
    for each in found["candidates"]:
        yield each["reason"], each["side"], each["tensor"], each["dtype"], _shape(each["shape"])


def _shape(sizes: tuple[int | None, ...] | None) -> str:
    return "any rank" if sizes is None else f"[{', '.join('?' if size is None else str(size) for size in sizes)}]"


def _candidates(graph_def: Any, path: Path) -> list[dict[str, Any]]:
    operations.require_known(graph_def, path)
    found = ends_of.candidates(graph_def)
    sides = {side: [each.tensor for each in found if each.side == side] for side in ("input", "output")}
    known = graphs.plain(graphs.signature_of(graph_def, sides["input"], sides["output"]))
    return [{**asdict(each), **_kind(known, each)} for each in found]


def _kind(known: Signature, candidate: ends_of.Candidate) -> dict[str, Any]:
    tensors = known.inputs if candidate.side == "input" else known.outputs
    return asdict(tensors[graphs.alias(candidate.tensor)])


def _weights(tensors: list[tuple[str, int]]) -> dict[str, Any]:
    """Parameters and bytes by data type, of constants and variables alike."""
    sizes: Counter[str] = Counter()
    for dtype, elements in tensors:
        sizes[dtype] += elements * tf.as_dtype(dtype).size
    parameters = sum(elements for dtype, elements in tensors if dtype not in _NO_PARAMETERS)
    return {"parameters": parameters, "bytes_by_dtype": dict(sizes.most_common())}


def _constants(graph_def: Any) -> Iterator[tuple[str, int]]:
    for node in graphs.nodes(graph_def):
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            dtype = tf.as_dtype(tensor.dtype).name
            yield dtype, math.prod(dim.size for dim in tensor.tensor_shape.dim)
