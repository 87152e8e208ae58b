"""A graph with its signature, and SavedModel folders as where graphs come from and go to."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef, TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from converters import messages, pieces
from converters.set_up import INIT_OP, SetUp
from model_config.errors import BadSource, SuiteError
from model_config.signatures import Signature, Tensor

SERVING_TAG = "serve"
DEFAULT_KEY = "serving_default"
PREDICT = "tensorflow/serving/predict"
SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")

# elements; what says a shape, a permutation or a size has fewer
_LARGE = 1000


@dataclass(frozen=True)
class Graph:
    """A GraphDef without variables and the one signature it answers.

    Attributes:
        key: the signature's name, such as ``serving_default``.
        signature: TensorFlow's SignatureDef; its tensors are in the graph.
        set_up: how its tables are filled, where it has some.
    """

    graph_def: Any
    key: str
    signature: Any
    set_up: SetUp | None = None

    @property
    def input_tensors(self) -> list[str]:
        """The tensors that are fed, such as ``image_tensor:0``."""
        return sorted(info.name for info in self.signature.inputs.values())

    @property
    def output_tensors(self) -> list[str]:
        """The tensors that are fetched."""
        return sorted(info.name for info in self.signature.outputs.values())

    @property
    def ends(self) -> list[str]:
        """The operations that are fed, fetched or run before, and so must stay under their names."""
        run_before = [] if self.set_up is None else self.set_up.operations
        return [*map(node_name, self.input_tensors + self.output_tensors), *run_before]

    @contextmanager
    def session(self, config: Any = None) -> Iterator[Any]:
        """A session over the graph, ready to be asked; BadSource when TensorFlow does not take the graph."""
        # a session used with its own "with" would make its graph the one that the block's own operations go to
        with closing(tf.compat.v1.Session(graph=imported(self.graph_def), config=config)) as opened:
            if self.set_up is not None:
                self.set_up.run(opened)
            yield opened

    def of_size(self, sides: tuple[int, int]) -> Graph:
        """The graph with this height and width in its signature, where it takes pictures of any."""
        signature = SignatureDef()
        signature.CopyFrom(self.signature)
        for info in signature.inputs.values():
            dims = info.tensor_shape.dim
            if len(dims) == 4 and dims[1].size < 0 and dims[2].size < 0:
                dims[1].size, dims[2].size = sides
        return replace(self, signature=signature)

    def with_graph(self, graph_def: Any) -> Graph:
        """The same signature over another graph."""
        return replace(self, graph_def=graph_def)


def node_name(tensor: str) -> str:
    """The operation a tensor or a node's input comes from: ``^a/b:1`` is of ``a/b``."""
    return tensor.lstrip("^").partition(":")[0]


def operations(folder: Path) -> int:
    """How many operations a SavedModel has, those inside functions included."""
    return sum(1 for _ in nodes(meta_graph(folder, outline=True).graph_def))


def nodes(graph_def: Any) -> Iterator[Any]:
    """Every operation of a graph, those inside functions included."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def saved_model(folder: Path, *, outline: bool = False) -> Any:
    """All graphs of a SavedModel, whose file is binary or text; BadSource when the folder is none."""
    for name in SAVED_MODEL_FILES:
        if (folder / name).is_file():
            return messages.read(folder / name, SavedModel, outline=outline)
    raise BadSource(_no_saved_model(folder))


def meta_graph(folder: Path, tags: Collection[str] = (SERVING_TAG,), *, outline: bool = False) -> Any:
    """The graph with exactly these tags, such as servers load; BadSource when the folder has none.

    Args:
        outline: without the values of large constants, for all that does not compute with them.
    """
    graphs = saved_model(folder, outline=outline).meta_graphs
    for candidate in graphs:
        if set(candidate.meta_info_def.tags) == set(tags):
            return candidate
    there = "; ".join(",".join(each.meta_info_def.tags) or "none" for each in graphs) or "none"
    raise BadSource(
        f"{folder} has no graph tagged {','.join(tags)!r} (tags: {there}); choose one that is there with --tags"
    )


def _no_saved_model(folder: Path) -> str:
    if (folder / "saved_model.cpb").is_file():
        return f"{folder} is a SavedModel in pieces, as its graph is over 2 GB; export it with its weights as variables"
    below = [each.parent for each in sorted(folder.glob("*/saved_model.pb*"))]
    hint = f"did you mean {below[0]}?" if below else "name the folder that holds saved_model.pb"
    return f"{folder} is no SavedModel; {hint}"


def signature_def(meta: Any, key: str | None = None) -> tuple[str, Any]:
    """The signature that is converted: ``key``, or ``serving_default``, or the only one there is."""
    return choose(meta.signature_def, key)


def choose(signatures: Mapping[str, Any], key: str | None) -> tuple[str, Any]:
    """The same of signatures by their names; BadSource where none is called so."""
    known = {each: value for each, value in signatures.items() if value.inputs or value.outputs}
    known.pop(INIT_OP, None)
    wanted = next(iter(known)) if key is None and len(known) == 1 else key or DEFAULT_KEY
    if wanted in known:
        return wanted, known[wanted]
    if not known:
        raise BadSource("the SavedModel has no signature, so nothing can be asked of it; export it with one")
    names = ", ".join(sorted(known))
    raise BadSource(f"the SavedModel has no signature {wanted!r} (signatures: {names}); choose one with --signature")


def signatures(folder: Path) -> dict[str, Signature]:
    """What a SavedModel takes and gives, as plain data."""
    found = meta_graph(folder, outline=True).signature_def.items()
    return {key: plain(value) for key, value in sorted(found) if key != INIT_OP}


def plain(signature: Any) -> Signature:
    """A SignatureDef as plain data."""
    inputs, outputs = (
        {name: _tensor(info) for name, info in sorted(side.items())} for side in (signature.inputs, signature.outputs)
    )
    return Signature(method_name=signature.method_name, inputs=inputs, outputs=outputs)


def _tensor(info: Any) -> Tensor:
    shape = tf.TensorShape(info.tensor_shape)
    return Tensor(dtype=tf.as_dtype(info.dtype).name, shape=None if shape.rank is None else tuple(shape.as_list()))


def signature_of(graph_def: Any, inputs: Iterable[str], outputs: Iterable[str]) -> Any:
    """A SignatureDef over named tensors, whose names there are the graph's own without ``:0``."""
    graph = imported(skeleton(graph_def))
    signature = SignatureDef(method_name=PREDICT)
    for tensors, side in ((inputs, signature.inputs), (outputs, signature.outputs)):
        for name in tensors:
            side[alias(name)].CopyFrom(_info(tensor_in(graph, name)))
    return signature


def imported(graph_def: Any) -> Any:
    """The graph as TensorFlow takes it; BadSource when it does not."""
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
    except (ValueError, tf.errors.OpError) as error:
        raise BadSource(f"TensorFlow {tf.__version__} cannot load the graph: {error}") from error
    return graph


def skeleton(graph_def: Any) -> Any:
    """A copy without the large constants, on whose values no type or shape depends."""
    light = emptied(graph_def)
    for node in graph_def.node:
        if not _is_large(node):
            light.node.append(node)
            continue
        tensor = node.attr["value"].tensor
        stand_in = light.node.add(name=node.name, op="Placeholder", input=node.input)
        stand_in.attr["dtype"].type = tensor.dtype
        stand_in.attr["shape"].shape.CopyFrom(tensor.tensor_shape)
    return light


def without_values(graph_def: Any) -> tuple[Any, dict[str, Any]]:
    """A copy in which large constants have types and shapes only, and by name the operations that have the values."""
    light, large = emptied(graph_def), {node.name: node for node in graph_def.node if _is_large(node)}
    for node in graph_def.node:
        if node.name not in large:
            light.node.append(node)
            continue
        tensor = node.attr["value"].tensor
        bare = light.node.add(name=node.name, op=node.op, device=node.device, input=node.input)
        for key, value in node.attr.items():
            if key != "value":
                bare.attr[key].CopyFrom(value)
        bare.attr["value"].tensor.dtype = tensor.dtype
        bare.attr["value"].tensor.tensor_shape.CopyFrom(tensor.tensor_shape)
    return light, large


def _is_large(node: Any) -> bool:
    """Whether it is a constant that nothing about types and shapes depends on."""
    if node.op != "Const":
        return False
    return bool(math.prod(dim.size for dim in node.attr["value"].tensor.tensor_shape.dim) >= _LARGE)


def emptied(graph_def: Any) -> Any:
    """All of a graph but its operations: functions and versions, copied."""
    light = GraphDef()
    for field, value in graph_def.ListFields():
        if field.name != "node":
            getattr(light, field.name).CopyFrom(value)
    return light


def tensor_in(graph: Any, name: str) -> Any:
    """The tensor of that name; BadSource when the graph has none."""
    try:
        return graph.get_tensor_by_name(name)
    except (KeyError, ValueError) as error:
        raise BadSource(f"the graph has no tensor {name!r}: {error.args[0]}") from error


def alias(tensor: str) -> str:
    """The name a tensor has in a signature, which is its own without ``:0``."""
    node, _, place = tensor.partition(":")
    return node if place in ("", "0") else f"{node}_{place}"


def _info(tensor: Any) -> Any:
    shape = tensor.shape.as_proto()
    return TensorInfo(name=tensor.name, dtype=tensor.dtype.as_datatype_enum, tensor_shape=shape)


def write(graph: Graph, folder: Path) -> None:
    """Save a graph as a SavedModel that servers load."""
    meta = MetaGraphDef()
    meta.meta_info_def.tags.append(SERVING_TAG)
    meta.meta_info_def.tensorflow_version = tf.__version__
    meta.signature_def[graph.key].CopyFrom(graph.signature)
    around = [
        (SavedModel(saved_model_schema_version=1), "meta_graphs"),
        (meta, "graph_def"),
        (emptied(graph.graph_def), "node"),
    ]
    folder.mkdir()
    if graph.set_up is not None:
        graph.set_up.write(meta, folder)
    try:
        pieces.write(folder / SAVED_MODEL_FILES[0], around, graph.graph_def.node)
    except ValueError as error:  # protobuf's own limit
        raise SuiteError(
            f"the graph would take {error}, and one graph holds 2 GB at most; serve version 1 (original) of a model"
            " whose weights are variables, or store them in half precision"
        ) from error


def read(folder: Path) -> Graph:
    """The graph of a SavedModel that has no variables."""
    meta = meta_graph(folder)
    key, found = signature_def(meta)
    signature = SignatureDef()
    signature.CopyFrom(found)  # as part of the message, it would keep all of that in memory for as long as it is there
    return Graph(meta.graph_def, key, signature, SetUp.of(meta, folder))


def outlined(folder: Path, key: str) -> Graph:
    """What a SavedModel's signature ``key`` takes and what it does with it, without large constants and variables."""
    meta = meta_graph(folder, outline=True)
    return Graph(meta.graph_def, key, meta.signature_def[key])
