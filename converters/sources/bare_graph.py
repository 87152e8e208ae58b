"""A graph without a signature and the one it gets, by the user's names or by what is likely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from converters import graphs
from converters.sources import ends, operations, rewiring
from converters.sources.source import Source
from model_config.errors import BadSource

# what else must stay in the graph, given the operations that do
Also = Callable[[set[str]], list[str]]


def settle(graph_def: Any, source: Source, declared: Any = None, also: Also = lambda kept: []) -> Any:
    """Make a graph ready in place, and return its SignatureDef.

    Args:
        graph_def: left with what the outputs need.
        source: with the user's choices.
        declared: a SignatureDef that came with the graph; what the user names goes before it.
        also: more that must stay, such as what fills the variables that do.
    """
    rewiring.set_values(graph_def, _full(source, graph_def))
    if declared is not None:
        return _declared(graph_def, source, declared, also)
    outputs = ends.outputs(source.outputs, graph_def, source.path)
    inputs = ends.inputs(source.inputs, graph_def, outputs)
    if not inputs:
        pipeline = next((each.tensor for each in ends.candidates(graph_def) if each.side == "input"), None)
        such = f", such as {pipeline}" if pipeline else ""
        raise BadSource(f"{source.path} has no placeholder; name what is fed with --inputs{such}")
    renamed = _ready(graph_def, source, (inputs, outputs), also)
    return graphs.signature_of(graph_def, [renamed.get(each, each) for each in inputs], outputs)


def _full(source: Source, graph_def: Any) -> list[tuple[str, Any]]:
    values = dict(source.set)
    return list(zip(ends.named(values, graph_def), values.values()))


def _declared(graph_def: Any, source: Source, declared: Any, also: Also) -> Any:
    inputs, outputs = ([info.name for info in side.values()] for side in (declared.inputs, declared.outputs))
    ends.named([*inputs, *outputs], graph_def)
    renamed = _ready(graph_def, source, (inputs, outputs), also)
    signature = SignatureDef()
    signature.CopyFrom(declared)
    for info in signature.inputs.values():
        info.name = renamed.get(info.name, info.name)
    return signature


def _ready(graph_def: Any, source: Source, sides: tuple[list[str], list[str]], also: Also) -> Mapping[str, str]:
    inputs, outputs = sides
    kept = rewiring.ancestors(graph_def, [*inputs, *outputs])
    rewiring.keep_defaults(graph_def, kept - set(map(graphs.node_name, inputs)))
    rewiring.prune(graph_def, [*inputs, *outputs, *also(kept)])
    operations.require_known(graph_def, source.path)
    renamed = rewiring.cut(graph_def, inputs)
    fed = [renamed.get(each, each) for each in inputs]
    kept = rewiring.ancestors(graph_def, [*fed, *outputs])
    if renamed:  # what was in front of the inputs
        rewiring.prune(graph_def, [*fed, *outputs, *also(kept)])
    _require_fed(graph_def, kept - set(map(graphs.node_name, fed)), source.path)
    return renamed


def _require_fed(graph_def: Any, computed: set[str], path: Path) -> None:
    """Refuse what would load and then fail with every request."""
    for node in graph_def.node:
        if node.name not in computed:
            continue
        if node.op == "Placeholder":
            raise BadSource(
                f"the outputs of {path} depend on placeholder {node.name}:0, which is no input;"
                f" add it to --inputs, or give it a value with --set {node.name}:0=VALUE"
            )
        if node.op in ends.PIPELINES:
            raise BadSource(
                f"the outputs of {path} depend on {node.name}:0, where a pipeline hands over its input;"
                " name with --inputs the tensor that is to be fed instead"
            )
