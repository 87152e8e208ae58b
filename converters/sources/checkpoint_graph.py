"""The part of a training graph that answers: cut out, filled from its checkpoint, saved for servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from tensorflow.core.framework.variable_pb2 import VariableDef

from converters import graphs
from converters.sources import bare_graph, rewiring
from converters.sources.source import Source
from model_config.errors import BadSource

_VARIABLES: Final = frozenset({"VarHandleOp", "VariableV2", "Variable"})
_VARIABLE_LISTS: Final = ("variables", "trainable_variables", "model_variables", "moving_average_variables")
_NODE_LISTS: Final = (tf.compat.v1.GraphKeys.TABLE_INITIALIZERS, tf.compat.v1.GraphKeys.ASSET_FILEPATHS)


@dataclass(frozen=True)
class Part:
    """What is left of a training graph.

    Attributes:
        meta: the graph, and the lists of the variables, tables and assets it needs.
        signature: its SignatureDef.
        restores: the operations that fill the variables as the training's own saver does.
        filename: the tensor that tells them the checkpoint.
    """

    meta: Any
    signature: Any
    restores: tuple[str, ...]
    filename: str


@dataclass(frozen=True)
class _Filler:
    """Operations that must stay as long as the variable or table does that they fill."""

    target: str
    names: tuple[str, ...]


def answering(meta: Any, source: Source, declared: Any) -> Part:
    """Leave of a metagraph what the outputs need, with what fills its variables and tables."""
    for node in meta.graph_def.node:
        node.device = ""  # the machine that trained it is not here
    restoring = list(_restoring(meta))
    fillers = [*restoring, *_initializing(meta), *_describing(meta)]

    def filling(kept: set[str]) -> list[str]:
        return [name for filler in fillers if filler.target in kept for name in filler.names]

    signature = bare_graph.settle(meta.graph_def, source, declared, filling)
    kept = {node.name for node in meta.graph_def.node}
    _keep_lists(meta, kept)
    _require_restored(meta, signature, restoring)
    _find_assets(meta, source.path)
    restores = tuple(name for filler in restoring for name in filler.names if name in kept)
    filename = meta.saver_def.filename_tensor_name
    meta.ClearField("saver_def")
    return Part(meta, signature, restores, filename)


def _restoring(meta: Any) -> Iterator[_Filler]:
    """What the saver's one operation that restores everything sets off, variable by variable."""
    nodes = {node.name: node for node in meta.graph_def.node}
    todo, seen = [meta.saver_def.restore_op_name], set()
    while todo:
        node = nodes.get(todo.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op == "NoOp":
            todo.extend(graphs.node_name(name) for name in node.input)
        else:
            yield _Filler(graphs.node_name(node.input[0]), (node.name,))


def _initializing(meta: Any) -> Iterator[_Filler]:
    nodes = {node.name: node for node in meta.graph_def.node}
    for name in meta.collection_def[_NODE_LISTS[0]].node_list.value:
        yield _Filler(graphs.node_name(nodes[name].input[0]), (name,))


def _describing(meta: Any) -> Iterator[_Filler]:
    """What TensorFlow looks up to make a variable of its description."""
    for variable in _variables(meta):
        names = (variable.initializer_name, variable.snapshot_name, variable.initial_value_name)
        yield _Filler(graphs.node_name(variable.variable_name), tuple(graphs.node_name(name) for name in names if name))


def _variables(meta: Any) -> Iterator[Any]:
    for key in _VARIABLE_LISTS:
        for value in meta.collection_def[key].bytes_list.value:
            yield VariableDef.FromString(value)


def _keep_lists(meta: Any, kept: set[str]) -> None:
    """Drop from the metagraph's lists what is no longer in the graph, and all lists that only training reads."""
    for key in set(meta.collection_def) - {*_VARIABLE_LISTS, *_NODE_LISTS}:
        del meta.collection_def[key]
    for key in _VARIABLE_LISTS:
        variables = meta.collection_def[key].bytes_list
        there = [each for each in variables.value if _is_kept(VariableDef.FromString(each), kept)]
        variables.value[:] = there
    for key in _NODE_LISTS:
        names = meta.collection_def[key].node_list
        names.value[:] = [name for name in names.value if graphs.node_name(name) in kept]
    meta.ClearField("signature_def")
    meta.ClearField("asset_file_def")


def _find_assets(meta: Any, path: Path) -> None:
    """Point vocabulary files to where they are now, as the machine that trained named its own."""
    folder = path if path.is_dir() else path.parent
    nodes = {node.name: node for node in meta.graph_def.node}
    for name in meta.collection_def[_NODE_LISTS[1]].node_list.value:
        values = nodes[graphs.node_name(name)].attr["value"].tensor.string_val
        for place, value in enumerate(values):
            file = Path(value.decode())
            beside = folder / file.name
            if not file.is_file() and not beside.is_file():
                raise BadSource(f"the graph needs {file}, which is not there; put it beside the checkpoint")
            values[place] = str(file if file.is_file() else beside).encode()


def _is_kept(variable: Any, kept: set[str]) -> bool:
    return graphs.node_name(variable.variable_name) in kept and graphs.node_name(variable.initializer_name) in kept


def _require_restored(meta: Any, signature: Any, restoring: list[_Filler]) -> None:
    restored = {filler.target for filler in restoring} or {graphs.node_name(v.variable_name) for v in _variables(meta)}
    needed = rewiring.ancestors(meta.graph_def, (info.name for info in signature.outputs.values()))
    for node in meta.graph_def.node:
        if node.name in needed and node.op in _VARIABLES and node.name not in restored:
            raise BadSource(
                f"the outputs depend on variable {node.name}, which the checkpoint's saver does not restore;"
                " save it again with all variables"
            )


def restore(session: Any, part: Part, prefix: Path) -> None:
    """Bring the part and its variables' values into a session."""
    saver = tf.compat.v1.train.import_meta_graph(part.meta)
    if part.restores:
        session.run(part.restores, {part.filename: str(prefix)})
    elif saver is not None:
        saver.restore(session, str(prefix))


def save(session: Any, part: Part, key: str, folder: Path) -> None:
    """Write what the session holds as a SavedModel that servers load."""
    variables = tf.compat.v1.global_variables()
    tables = tf.compat.v1.get_collection(_NODE_LISTS[0])
    builder = tf.compat.v1.saved_model.Builder(str(folder))
    builder.add_meta_graph_and_variables(
        session,
        [graphs.SERVING_TAG],
        {key: part.signature},
        assets_collection=tf.compat.v1.get_collection(_NODE_LISTS[1]),
        main_op=tf.group(*tables) if tables else None,
        saver=tf.compat.v1.train.Saver(variables) if variables else None,
    )
    builder.save()
