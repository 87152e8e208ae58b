"""A SavedModel whose graph is large, taken apart: the operations, and the weights that they compute with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from converters import graphs, pieces
from converters.sources import rewiring

# where the operations of a SavedModel's graph are, by the numbers of protobuf's fields
_NODES: Final = tuple(
    kind.DESCRIPTOR.fields_by_name[name].number
    for kind, name in ((SavedModel, "meta_graphs"), (MetaGraphDef, "graph_def"), (GraphDef, "node"))
)


@dataclass(frozen=True)
class Outlined:
    """Operations without large weights, which stay on file.

    Attributes:
        saved_model: its one graph lacks the values of large constants.
        places: where in the file those operations are that may lack some.
        weights: operations that compute something large of constants alone for others that do not.
    """

    folder: Path
    saved_model: Any
    places: dict[str, pieces.Span]
    weights: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, large: int) -> Outlined | None:
        """Take a SavedModel apart; None where its graph has fewer values in constants, or cannot be taken apart."""
        path = folder / graphs.SAVED_MODEL_FILES[0]
        if not path.is_file():
            return None
        found = graphs.saved_model(folder, outline=True)
        if len(found.meta_graphs) != 1 or _values(found.meta_graphs[0].graph_def.node) <= large:
            return None
        if any(_is_large(node) for each in found.meta_graphs[0].graph_def.library.function for node in each.node_def):
            return None  # those of functions cannot be put back
        return cls(folder, found, _places(path), tuple(_weights(found.meta_graphs[0])))

    @property
    def graph_def(self) -> Any:
        """The operations, some of which lack their values."""
        return self.saved_model.meta_graphs[0].graph_def

    @cached_property
    def _reads(self) -> dict[str, list[str]]:
        return rewiring.reads(self.graph_def)

    @cached_property
    def _nodes(self) -> dict[str, Any]:
        return {node.name: node for node in self.graph_def.node}

    def value(self, name: str) -> Any:
        """What a server computes ahead for an operation."""
        part = GraphDef(versions=self.graph_def.versions)
        needed = sorted(rewiring.reached(self._reads, [name]))
        part.node.extend(self._whole(self._nodes[each]) for each in needed)
        for node in part.node:
            node.attr.pop("_class", None)
        if len(part.node) == 1:
            return tf.make_ndarray(part.node[0].attr["value"].tensor)
        config = ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True  # for one time only
        with tf.compat.v1.Session(graph=graphs.imported(part), config=config) as session:
            return session.run(f"{name}:0")

    def write(self, folder: Path) -> None:
        """Save what is left without the weights, beside links to everything else of the model."""
        left = SavedModel()
        left.CopyFrom(self.saved_model)
        (meta,), weights = left.meta_graphs, set(self.weights)
        for node in meta.graph_def.node:
            if node.name in weights:
                name = node.name
                node.Clear()
                node.name, node.op = name, "NoOp"  # for those that only name it
        rewiring.prune(meta.graph_def, _ends(meta) | rewiring.varying(meta.graph_def))
        for node in meta.graph_def.node:
            if node.name in self.places and node.name not in weights:
                node.CopyFrom(self._whole(node))
        (folder / graphs.SAVED_MODEL_FILES[0]).write_bytes(left.SerializeToString())
        for each in self.folder.iterdir():
            if each.name not in (graphs.SAVED_MODEL_FILES[0], "fingerprint.pb"):
                (folder / each.name).symlink_to(each.resolve())

    def _whole(self, node: Any) -> Any:
        if node.name not in self.places:
            return node
        whole, place = NodeDef(), self.places[node.name]
        with (self.folder / graphs.SAVED_MODEL_FILES[0]).open("rb") as file:
            pieces.merge(file.fileno(), whole, place.content, place.end)
        return whole


def _places(path: Path) -> dict[str, pieces.Span]:
    found = {}
    with path.open("rb") as file:
        for span in pieces.within(file.fileno(), 0, path.stat().st_size, _NODES):
            if span.end - span.content > pieces.OUTLINE:
                node = NodeDef()
                pieces.merge(file.fileno(), node, span.content, span.end, outline=True)
                found[node.name] = span
    return found


def _weights(meta: Any) -> Iterator[str]:
    graph_def, ends = meta.graph_def, _ends(meta)
    varying = rewiring.varying(graph_def)
    sizes = {node.name: _size(node) for node in graph_def.node if node.op == "Const"}
    reads = rewiring.reads(graph_def)
    read = {name for node in graph_def.node if node.name in varying for name in node.input}
    for node in graph_def.node:
        if node.name in varying or node.name in ends or node.name not in read:
            continue
        if node.op == "Const" and tf.as_dtype(node.attr["dtype"].type).is_quantized:
            continue  # whose readers take constants only
        if sum(sizes.get(name, 0) for name in rewiring.reached(reads, [node.name])) > pieces.OUTLINE:
            yield node.name


def _ends(meta: Any) -> set[str]:
    """What is fed or fetched."""
    signatures = meta.signature_def.values()
    tensors = (info.name for each in signatures for side in (each.inputs, each.outputs) for info in side.values())
    return {graphs.node_name(tensor) for tensor in tensors}


def _is_large(node: Any) -> bool:
    return node.op == "Const" and _size(node) > pieces.OUTLINE


def _size(node: Any) -> int:
    tensor = node.attr["value"].tensor
    return _elements(tensor) * int(tf.as_dtype(tensor.dtype).size)


def _values(nodes: Iterable[Any]) -> int:
    return sum(_elements(node.attr["value"].tensor) for node in nodes if node.op == "Const")


def _elements(tensor: Any) -> int:
    return int(math.prod(dim.size for dim in tensor.tensor_shape.dim))
