"""What is in a model: its signatures or what it could be fed and asked through, its operations and weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from converters import answering, graphs, sources
from converters.sources import ends as ends_of
from converters.sources import operations
from model_config.models import Model
from model_config.signatures import Signature

# what counts, indexes or names is no parameter
_NO_PARAMETERS: Final = frozenset({"bool", "int32", "int64", "string", "resource", "variant"})


def inspect(path: Path, *, tensorboard: Path | None = None, **choices: Any) -> dict[str, Any]:
    """Format, signatures (or candidates for one, with the reason), operations by type, weights by data type.

    Beside them, what it computes by type of operation, and what TF-TRT would leave outside of its engines.

    Args:
        tensorboard: a folder in which TensorBoard finds the graph then.
    """
    source = sources.locate(Model(name="inspected", source=path, **choices))
    contents = sources.look(source)
    graph_def = contents.graph_def
    if tensorboard is not None:
        _show(graph_def, tensorboard)
    signatures = {key: asdict(graphs.plain(value)) for key, value in sorted(contents.signatures.items())}
    return {
        "path": str(path),
        "format": source.format,
        "signatures": signatures,
        "candidates": [] if signatures else _candidates(graph_def, path),
        "operations": dict(Counter(node.op for node in graphs.nodes(graph_def)).most_common()),
        **_weights([*_constants(graph_def), *contents.variables]),
        **answering.described(contents, source),
    }


def _show(graph_def: Any, folder: Path) -> None:
    with tf.Graph().as_default():  # a writer of events is none of eager TensorFlow
        writer = tf.compat.v1.summary.FileWriter(str(folder))
        writer.add_graph(None, graph_def=graphs.skeleton(graph_def))
        writer.close()


def ends(found: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Every input and output: signature (of a candidate: the reason), side, name, type, shape (``?`` for any size)."""
    for key, signature in found["signatures"].items():
        for side in ("inputs", "outputs"):
            for name, tensor in signature[side].items():
                yield key, side[:-1], name, tensor["dtype"], _shape(tensor["shape"])
    for each in found["candidates"]:
        yield each["reason"], each["side"], each["tensor"], each["dtype"], _shape(each["shape"])


def arithmetic(found: dict[str, Any]) -> tuple[str, Sequence[str], Sequence[Sequence[str]]]:
    """Title, heading and rows of what it computes in one request."""
    told = found["arithmetic"]
    if "unknown" in told:
        return "arithmetic", ("unknown", ""), [(told["unknown"], "")]
    shapes = ", ".join(f"{name} {shape}{'?' * (name in told['assumed'])}" for name, shape in told["inputs"].items())
    left_out = f"; {told['not_counted']} operations of open sizes not counted" if told["not_counted"] else ""
    assumed = " (? for sizes that were assumed)" if told["assumed"] else ""
    rows = [(op, f"{n:,}", f"{n / told['flops']:.2%}") for op, n in told["by_operation"].items() if n]
    title = f"{told['flops']:,} floating point operations for {shapes}{assumed}{left_out}"
    return title, ("operation", "count", "share"), rows


def outside_tensorrt(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Which operations TF-TRT would leave to TensorFlow, and why."""
    rows = found["outside_tensorrt"].items()
    return [(", ".join(f"{n} {op}" for op, n in types.items()), reason) for reason, types in rows]


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
