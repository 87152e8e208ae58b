"""The model as it came: found out, hashed, and turned into a SavedModel folder that the passes start from."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import DecodeError
from tensorflow.core.framework.graph_pb2 import GraphDef

from converters import graphs
from model_config.errors import BadSource, UnknownName, near_miss
from model_config.models import Model

# the outputs of every detector exported by TensorFlow's Object Detection API
DETECTOR_OUTPUTS: Final = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")

_NOT_YET: Final = MappingProxyType(
    {
        ".h5": "Keras files",
        ".hdf5": "Keras files",
        ".keras": "Keras files",
        ".meta": "checkpoints",
        ".index": "checkpoints",
        ".pbtxt": "graphs in text form",
    }
)


@dataclass(frozen=True)
class Source:
    """A model that was found and can be read.

    Attributes:
        inputs: the tensors to feed; only a frozen graph needs them said.
        outputs: the tensors to fetch; likewise.
    """

    path: Path
    format: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def sha256(self) -> str:
        """A hash over every byte of the model and the names of its files."""
        digest = hashlib.sha256()
        for name, path in _files(self.path):
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def load(self, target: Path) -> None:
        """Write the model as a SavedModel folder; BadSource says what is wrong with it."""
        _FORMATS[self.format](self, target)


def locate(model: Model) -> Source:
    """Find the model's source and its format; BadSource when there is none that can be read."""
    path = model.source
    if path is None:
        raise BadSource(f"no source is known for {model.name}; name it with --source, or in models.yaml")
    if not path.exists():
        raise BadSource(f"the source {path} of {model.name} does not exist; {_nearby(path)}")
    source = Source(path, model.format or _format(path), model.inputs, model.outputs)
    if source.format not in _FORMATS:
        raise UnknownName(f"no source format is called {source.format!r}; {near_miss(source.format, _FORMATS)}")
    return source


def _nearby(path: Path) -> str:
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"in {path.parent}, {near_miss(path.name, sorted(beside)[:20])}" if beside else "check the path"


def _format(path: Path) -> str:
    if path.is_dir():
        return "saved_model"
    if path.suffix in _NOT_YET:
        kind = _NOT_YET[path.suffix]
        raise BadSource(f"{path}: {kind} are not read yet; export the model as a SavedModel and name its folder")
    return "frozen_graph"


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
    for each in sorted(path.rglob("*")):
        if each.is_file():
            yield each.relative_to(path).as_posix(), each


def _load_saved_model(source: Source, target: Path) -> None:
    graphs.signature_def(graphs.meta_graph(source.path))  # refuse what no server could serve
    shutil.copytree(source.path, target)


def _load_frozen_graph(source: Source, target: Path) -> None:
    graph_def = read_graph_def(source.path)
    inputs = _tensors(source.inputs, graph_def) or placeholders(graph_def)
    outputs = _tensors(source.outputs, graph_def) or _likely_outputs(source.path, graph_def)
    if not inputs:
        raise BadSource(f"{source.path} has no placeholder; name what is fed with --inputs")
    signature = graphs.signature_of(graph_def, inputs, outputs)
    graphs.write(graphs.Graph(graph_def, graphs.DEFAULT_KEY, signature), target)


def read_graph_def(path: Path) -> Any:
    """A frozen graph's GraphDef; BadSource when the file holds none."""
    try:
        graph_def = GraphDef.FromString(path.read_bytes())
    except DecodeError as error:
        raise BadSource(_unreadable(path)) from error
    if not graph_def.node:  # protobuf takes an empty file, and many another, for an empty message
        raise BadSource(_unreadable(path))
    return graph_def


def _unreadable(path: Path) -> str:
    if path.name == "saved_model.pb":
        return f"{path} is part of a SavedModel; name the folder {path.parent} instead"
    return f"{path} is no frozen graph: truncated, damaged or another kind of file; fetch or export it again"


def placeholders(graph_def: Any) -> list[str]:
    """The tensors a graph is fed through, as far as it says."""
    return [f"{node.name}:0" for node in graph_def.node if node.op == "Placeholder"]


def sinks(graph_def: Any) -> list[str]:
    """The tensors nothing reads, which are the likely outputs."""
    read = {graphs.node_name(name) for node in graph_def.node for name in node.input}
    silent = {"Const", "NoOp", "Assert", "Placeholder"}
    return [f"{node.name}:0" for node in graph_def.node if node.name not in read and node.op not in silent]


def _likely_outputs(path: Path, graph_def: Any) -> list[str]:
    ends = sinks(graph_def)
    if set(DETECTOR_OUTPUTS) <= set(ends):
        return list(DETECTOR_OUTPUTS)
    if len(ends) == 1:
        return ends
    raise BadSource(f"{path} has {len(ends)} ends; say which are its outputs with --outputs, such as {', '.join(ends)}")


def _tensors(names: tuple[str, ...], graph_def: Any) -> list[str]:
    """Tensor names that are sure to exist; UnknownName with the near misses otherwise."""
    nodes = {node.name for node in graph_def.node}
    full = [name if ":" in name else f"{name}:0" for name in names]
    for name in full:
        if graphs.node_name(name) not in nodes:
            known = nodes if len(nodes) <= 20 else sinks(graph_def) + placeholders(graph_def) + sorted(nodes)
            close = near_miss(graphs.node_name(name), map(graphs.node_name, known)).split(", ")
            raise UnknownName(f"the graph has no operation called {graphs.node_name(name)!r}; {', '.join(close[:12])}")
    return full


_FORMATS: Final[MappingProxyType[str, Callable[[Source, Path], None]]] = MappingProxyType(
    {"saved_model": _load_saved_model, "frozen_graph": _load_frozen_graph}
)
