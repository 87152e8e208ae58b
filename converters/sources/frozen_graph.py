"""Frozen graphs, binary and text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tensorflow.core.framework.graph_pb2 import GraphDef

from converters import graphs, messages
from converters.sources import bare_graph
from converters.sources.registry import Contents, Format, one_file, register
from converters.sources.source import Source
from model_config.errors import BadSource


def read_graph_def(path: Path, *, outline: bool = False) -> Any:
    """A frozen graph's GraphDef, or an outline of it; BadSource when the file holds none."""
    if path.name in graphs.SAVED_MODEL_FILES:
        raise BadSource(f"{path} is part of a SavedModel; name the folder {path.parent} instead")
    try:
        graph_def = messages.read(path, GraphDef, outline=outline)
    except messages.Damaged as error:
        raise BadSource(f"no frozen graph: {error}") from error
    if not graph_def.node:  # protobuf takes an empty file, and many another, for an empty message
        raise BadSource(f"{path} is no frozen graph but another kind of file; fetch or export it again")
    return graph_def


def _detect(path: Path) -> bool:
    return path.is_file() and path.suffix in (".pb", ".pbtxt", ".prototxt")


def _files(path: Path) -> Iterable[tuple[str, Path]]:
    """The one file, which is not hashed where it could not be read afterwards."""
    messages.require_size(path, GraphDef)
    return one_file(path)


def _load(source: Source, target: Path) -> None:
    graph_def = read_graph_def(source.path)
    signature = bare_graph.settle(graph_def, source)
    graphs.write(graphs.Graph(graph_def, graphs.DEFAULT_KEY, signature), target)


def _look(source: Source) -> Contents:
    return Contents(read_graph_def(source.path, outline=True))


register(
    Format(
        "frozen_graph",
        "a GraphDef whose weights are constants",
        detect=_detect,
        files=_files,
        load=_load,
        look=_look,
        takes=frozenset({"inputs", "outputs", "set"}),
    )
)
