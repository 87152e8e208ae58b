"""SavedModel folders, of TensorFlow 1 and 2, binary and text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from converters import graphs
from converters.set_up import INIT_OP
from converters.sources import operations, signature_choice
from converters.sources.registry import Contents, Format, register
from converters.sources.source import Source
from converters.sources.stored import stored


def _detect(path: Path) -> bool:
    return any((path / name).is_file() for name in (*graphs.SAVED_MODEL_FILES, "saved_model.cpb"))


def files(path: Path) -> Iterator[tuple[str, Path]]:
    """Every file below a folder."""
    for each in sorted(path.rglob("*")):
        if each.is_file():
            yield each.relative_to(path).as_posix(), each


def _load(source: Source, target: Path) -> None:
    tags = source.tags or (graphs.SERVING_TAG,)
    meta = graphs.meta_graph(source.path, tags, outline=True)
    graphs.signature_def(meta, source.signature)  # refuse what no server could serve
    operations.require_known(meta.graph_def, source.path)
    shutil.copytree(source.path, target)
    if set(tags) != {graphs.SERVING_TAG}:
        signature_choice.retag(target, tags)


def _look(source: Source) -> Contents:
    return look(source.path, source.tags)


def look(folder: Path, tags: tuple[str, ...] = ()) -> Contents:
    """What a SavedModel folder holds."""
    meta = graphs.meta_graph(folder, tags or (graphs.SERVING_TAG,), outline=True)
    shown = {key: value for key, value in meta.signature_def.items() if key != INIT_OP}
    return Contents(meta.graph_def, shown, stored(folder / "variables" / "variables"))


register(
    Format(
        "saved_model",
        "a SavedModel folder of TensorFlow 1 or 2",
        detect=_detect,
        files=files,
        load=_load,
        look=_look,
        takes=frozenset({"tags", "signature"}),
    )
)
