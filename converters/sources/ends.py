"""Where a bare graph could be fed and asked: candidates with the reason, and the tensors that names mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from converters import graphs
from converters.sources import rewiring
from model_config.errors import BadSource, UnknownName, near_miss

# the outputs of every detector exported by TensorFlow's Object Detection API
DETECTOR_OUTPUTS: Final = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")

_DETECTOR_EXTRAS: Final = ("detection_masks:0", "detection_keypoints:0", "detection_multiclass_scores:0")
# operations that hand over what a pipeline of files, queues or threads prepared
PIPELINES: Final = frozenset({"IteratorGetNext", "QueueDequeueManyV2", "QueueDequeueUpToV2", "QueueDequeueV2"})
_SAVERS: Final = frozenset({"Save", "SaveV2", "Restore", "RestoreV2"})
# ends that give no answer
_SILENT: Final = frozenset({"Const", "NoOp", "Assert", "Placeholder", "PlaceholderWithDefault", "Print", "PrintV2"})
_SHOWN: Final = 12

_DETECTOR: Final = "named as detectors' outputs are"
_UNREAD: Final = "nothing reads it; depends on an input"
_USUAL: Final = "named as outputs often are, though something reads it"
_USUAL_NAMES: Final = frozenset(
    {"embeddings", "logits", "output", "outputs", "prediction", "predictions", "probabilities", "scores", "softmax"}
)


@dataclass(frozen=True)
class Candidate:
    """A tensor that could be an input or an output, and why it is thought to be one."""

    side: str
    tensor: str
    reason: str


def placeholders(graph_def: Any) -> list[str]:
    """The tensors a graph is fed through, as far as it says."""
    return [f"{node.name}:0" for node in graph_def.node if node.op == "Placeholder"]


def sinks(graph_def: Any) -> list[str]:
    """The tensors nothing reads, which are the likely outputs."""
    read = {graphs.node_name(name) for node in graph_def.node for name in node.input}
    return [f"{node.name}:0" for node in graph_def.node if node.name not in read and _answers(node)]


def candidates(graph_def: Any) -> list[Candidate]:
    """All inputs and outputs that are likely, the likeliest first on each side."""
    return [*_inputs(graph_def), *_outputs(graph_def)]


def inputs(names: tuple[str, ...], graph_def: Any, outputs: Iterable[str]) -> list[str]:
    """The tensors to feed: those named, or the placeholders that the outputs depend on."""
    if names:
        return named(names, graph_def)
    needed = rewiring.ancestors(graph_def, outputs)
    return [tensor for tensor in placeholders(graph_def) if graphs.node_name(tensor) in needed]


def outputs(names: tuple[str, ...], graph_def: Any, path: Path) -> list[str]:
    """The tensors to fetch: those named, or a detector's, or the only ones there are."""
    if names:
        return named(names, graph_def)
    likely = [each.tensor for each in _outputs(graph_def)]
    if set(DETECTOR_OUTPUTS) <= set(likely):
        return list(DETECTOR_OUTPUTS)
    only = [each.tensor for each in _outputs(graph_def) if each.reason != _USUAL]
    if len(only) == 1:
        return only
    shown = ", ".join(likely[:_SHOWN]) + (", ..." if len(likely) > _SHOWN else "")
    raise BadSource(f"{path} has {len(likely)} ends; say which are its outputs with --outputs, such as {shown}")


def named(names: Iterable[str], graph_def: Any) -> list[str]:
    """Tensor names that are sure to exist; UnknownName with the near misses otherwise."""
    nodes = {node.name for node in graph_def.node}
    full = [name if ":" in name else f"{name}:0" for name in names]
    for name in full:
        if graphs.node_name(name) not in nodes:
            known = nodes if len(nodes) <= 20 else sinks(graph_def) + placeholders(graph_def) + sorted(nodes)
            close = near_miss(graphs.node_name(name), map(graphs.node_name, known)).split(", ")
            raise UnknownName(
                f"the graph has no operation called {graphs.node_name(name)!r}; {', '.join(close[:_SHOWN])}"
            )
    return full


def _inputs(graph_def: Any) -> Iterator[Candidate]:
    for tensor in placeholders(graph_def):
        yield Candidate("input", tensor, "a placeholder, which must be fed")
    filenames = _filenames(graph_def)
    for node in graph_def.node:
        if node.op == "PlaceholderWithDefault" and node.name not in filenames:
            yield Candidate("input", f"{node.name}:0", "a placeholder with a default, fed only when named")
    for node in graph_def.node:
        if node.op in PIPELINES:
            yield Candidate("input", f"{node.name}:0", "where an input pipeline hands over; naming it cuts that off")


def _filenames(graph_def: Any) -> set[str]:
    """What savers are told the checkpoint by, which is no model's input."""
    return rewiring.ancestors(graph_def, [node.input[0] for node in graph_def.node if node.op in _SAVERS])


def _outputs(graph_def: Any) -> list[Candidate]:
    there = {node.name for node in graph_def.node}
    fed = rewiring.descendants(graph_def, (each.tensor for each in _inputs(graph_def)))
    counters = {f"{node.name}:0" for node in graph_def.node if node.op == "Exit"}  # loops leave these behind
    unread = sorted(sinks(graph_def), key=counters.__contains__)
    ranked = {each: _DETECTOR for each in (*DETECTOR_OUTPUTS, *_DETECTOR_EXTRAS) if graphs.node_name(each) in there}
    answering = {each: _UNREAD for each in unread if graphs.node_name(each) in fed}
    named_so = {f"{node.name}:0": _USUAL for node in graph_def.node if node.name in fed and _is_usual(node)}
    # a graph without inputs has only ends that depend on none
    rest = {} if ranked or answering else {each: "nothing reads it" for each in unread}
    everything = {**named_so, **rest, **answering, **ranked}
    order = dict.fromkeys([*ranked, *answering, *rest, *named_so])
    return [Candidate("output", tensor, everything[tensor]) for tensor in order]


def _is_usual(node: Any) -> bool:
    return node.name.rpartition("/")[2].lower() in _USUAL_NAMES and _answers(node)


def _answers(node: Any) -> bool:
    # what trains, saves or sums up gives no tensor, or none that anybody asked a server for
    return node.op not in _SILENT and not node.op.startswith(("Assign", "Save", "Restore", "Apply", "ResourceApply"))
