"""Checkpoints of TensorFlow 1 with their metagraph: the part that answers, with its variables restored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

from converters import graphs, messages
from converters.quiet import quiet
from converters.sources import checkpoint_graph
from converters.sources.registry import Contents, Format, register
from converters.sources.source import Source
from converters.sources.stored import stored
from model_config.errors import BadSource

_PART: Final = re.compile(r"\.(meta|index|data-\d+-of-\d+)$")
_SHARD: Final = re.compile(r"\.data-(\d+)-of-(\d+)$")


def _detect(path: Path) -> bool:
    if any((path / name).is_file() for name in graphs.SAVED_MODEL_FILES):
        return False
    if path.is_dir():
        return (path / "checkpoint").is_file() or any(path.glob("*.meta"))
    return bool(_PART.search(path.name)) or any(Path(f"{path}{end}").is_file() for end in (".meta", ".index"))


def _prefix(path: Path) -> Path:
    """The name that all files of the variables begin with."""
    if path.is_dir():
        return _latest(path)
    prefix = path.with_name(_PART.sub("", path.name))
    if Path(f"{prefix}.index").is_file() or path.suffix != ".meta":
        return prefix
    # training scripts that write the graph only once leave the step out of its name
    longer = sorted(each.with_suffix("") for each in path.parent.glob("*.index") if each.name.startswith(prefix.name))
    if len(longer) > 1:
        raise BadSource(f"{path} goes with several checkpoints; name one, such as {longer[-1]}")
    return longer[0] if longer else prefix


def _latest(folder: Path) -> Path:
    with quiet():
        state = tf.train.get_checkpoint_state(str(folder))
    if state is not None and state.model_checkpoint_path:
        return folder / Path(state.model_checkpoint_path).name  # the folder may have moved since it was written
    metas = sorted(folder.glob("*.meta"))
    if len(metas) == 1:
        return _prefix(metas[0])
    names = ", ".join(each.name for each in metas[-5:]) or "there is none"
    raise BadSource(f"{folder} does not say which of its checkpoints is the latest; name one: {names}")


def _meta(path: Path, prefix: Path) -> Path:
    """The file with the graph."""
    if path.suffix == ".meta":
        return path
    own = Path(f"{prefix}.meta")
    if own.is_file():
        return own
    shorter = [each for each in sorted(prefix.parent.glob("*.meta")) if prefix.name.startswith(each.stem)]
    if len(shorter) == 1:
        return shorter[0]
    raise BadSource(
        f"checkpoint {prefix} has no .meta with its graph; write one where the model is built,"
        " with tf.compat.v1.train.export_meta_graph, or export the model as a SavedModel"
    )


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    prefix = _prefix(path)
    index = [each for each in (Path(f"{prefix}.index"),) if each.is_file()]
    for each in (_meta(path, prefix), *index, *_shards(prefix)):
        yield each.name, each


def _shards(prefix: Path) -> list[Path]:
    """The files with the values; BadSource names what is missing."""
    if prefix.is_file():  # all in one, as TensorFlow first wrote them
        return [prefix]
    if not Path(f"{prefix}.index").is_file():
        raise BadSource(f"checkpoint {prefix} has no {prefix.name}.index; copy all its files")
    there = sorted(each for each in prefix.parent.glob(f"{prefix.name}.data-*") if _SHARD.search(each.name))
    places = [_SHARD.search(each.name) for each in there]
    total = int(places[0][2]) if places and places[0] else 1
    wanted = [prefix.with_name(f"{prefix.name}.data-{place:05}-of-{total:05}") for place in range(total)]
    missing = [each.name for each in wanted if each not in there]
    if missing:
        raise BadSource(f"checkpoint {prefix} lacks {', '.join(missing)}; copy all its files")
    return wanted


def _read_meta(source: Source) -> Any:
    path = _meta(source.path, _prefix(source.path))
    meta = messages.read(path, MetaGraphDef)
    if not meta.graph_def.node:
        raise BadSource(f"{path} holds no graph; copy the checkpoint again")
    return meta


def _load(source: Source, target: Path) -> None:
    prefix = _prefix(source.path)
    _shards(prefix)
    meta = _read_meta(source)
    key, declared = _declared(meta, source)
    part = checkpoint_graph.answering(meta, source, declared)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session, quiet():
        try:
            checkpoint_graph.restore(session, part, prefix)
        except (ValueError, KeyError, tf.errors.OpError) as error:
            raise BadSource(f"checkpoint {prefix} cannot be restored: {error}; copy all its files again") from error
        checkpoint_graph.save(session, part, key, target)


def _declared(meta: Any, source: Source) -> tuple[str, Any]:
    """The signature that the metagraph brings, if any."""
    if not meta.signature_def or ((source.inputs or source.outputs) and not source.signature):
        return source.signature or graphs.DEFAULT_KEY, None
    return graphs.signature_def(meta, source.signature)


def _look(source: Source) -> Contents:
    meta = _read_meta(source)
    return Contents(meta.graph_def, dict(meta.signature_def), stored(_prefix(source.path)))


register(
    Format(
        "checkpoint",
        "a checkpoint of TensorFlow 1 with its .meta, named by that, by its prefix or by its folder",
        detect=_detect,
        files=_files,
        load=_load,
        look=_look,
        takes=frozenset({"inputs", "outputs", "set", "signature"}),
    )
)
