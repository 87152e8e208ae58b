"""The part of a model that answers a request: what it computes, and what TF-TRT would leave of it to TensorFlow."""

from __future__ import annotations

from collections import Counter
from typing import Any

from converters import arithmetic, graphs
from converters.checking import inputs
from converters.sources import Source, ends, rewiring
from converters.sources.registry import Contents
from converters.tensorrt.outside import outside
from model_config.errors import SuiteError
from model_config.signatures import Signature


def described(contents: Contents, source: Source) -> dict[str, Any]:
    """Arithmetic of one request, for the signature that would be converted or for all candidates together.

    The graph is cut to that in place.
    """
    try:
        signature = _signature(contents, source)
        rewiring.prune(contents.graph_def, [info.name for info in signature.outputs.values()])
        counted = _arithmetic(contents.graph_def, signature, graphs.plain(signature))
        return {"arithmetic": counted, "outside_tensorrt": outside(contents.graph_def)}
    except SuiteError as error:  # TensorFlow does not take the graph; all else can still be said
        return {"arithmetic": {"unknown": str(error)}, "outside_tensorrt": {}}


def _signature(contents: Contents, source: Source) -> Any:
    if contents.signatures:
        return _chosen(dict(contents.signatures), source.signature)
    found = ends.candidates(contents.graph_def)
    sides = ([each.tensor for each in found if each.side == side] for side in ("input", "output"))
    return graphs.signature_of(contents.graph_def, *sides)


def _chosen(signatures: dict[str, Any], key: str | None) -> Any:
    usual = graphs.DEFAULT_KEY if graphs.DEFAULT_KEY in signatures else next(iter(sorted(signatures)))
    return signatures[key or usual]


def _arithmetic(graph_def: Any, signature: Any, plain: Signature) -> dict[str, Any]:
    """Floating point operations by type, for one sample in sizes that are declared or else usual."""
    shapes = {name: inputs.full_shape(tensor, 1) for name, tensor in plain.inputs.items()}
    there = {node.name for node in graph_def.node}
    fed = {info.name: shapes[name] for name, info in signature.inputs.items() if graphs.node_name(info.name) in there}
    found = arithmetic.count(graph_def, fed)
    by_type: Counter[str] = Counter()
    for name, count in found.flops.items():
        by_type[found.types[name]] += count
    return {
        "inputs": {name: list(shape) for name, shape in shapes.items()},
        "assumed": sorted(name for name, tensor in plain.inputs.items() if None in (tensor.shape or (None,))),
        "flops": sum(by_type.values()),
        "by_operation": dict(by_type.most_common()),
        "not_counted": len(found.open),
    }
