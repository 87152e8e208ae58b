"""What to send to a string input, as far as the graph behind it tells: pictures, tf.Examples, words of a table."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
import tensorflow as tf

from converters import graphs

_PICTURES = {"DecodeJpeg", "DecodePng", "DecodeBmp", "DecodeImage", "DecodeAndCropJpeg"}
_TABLES = {"LookupTableFind", "LookupTableFindV2"}


def hold_pictures(graph_def: Any) -> bool:
    """Whether the graph decodes pictures from its strings."""
    return bool(_operations(graph_def) & _PICTURES)


def encoded(graph_def: Any, pictures: Sequence[bytes], draw: np.random.Generator) -> list[bytes] | None:
    """One string a picture, or None where the graph does not show what its strings hold."""
    operations = _operations(graph_def)
    shown = list(pictures) if operations & _PICTURES else [b""] * len(pictures)
    wrapped = in_examples(graph_def, shown, draw)
    if wrapped != shown:
        return wrapped
    if not operations & _PICTURES:
        return _words(graph_def, len(pictures)) if operations & _TABLES else None
    return [base64.urlsafe_b64encode(each) for each in shown] if "DecodeBase64" in operations else shown


def in_examples(graph_def: Any, contents: Sequence[bytes], draw: np.random.Generator) -> list[bytes]:
    """The contents inside tf.Examples where the graph parses such, beside drawn numbers; elsewhere as they are."""
    features = next((found for body in _bodies(graph_def) if (found := _features(body))), None)
    return [_example(features, each, draw) for each in contents] if features else list(contents)


def _bodies(graph_def: Any) -> list[Any]:
    return [graph_def.node, *(function.node_def for function in graph_def.library.function)]


def _operations(graph_def: Any) -> set[str]:
    return {node.op for node in graphs.nodes(graph_def)}


def _words(graph_def: Any, count: int) -> list[bytes]:
    """Words that the graph itself lists, as tables of constants do, with one that no table has."""
    lists = (node.attr["value"].tensor for node in graphs.nodes(graph_def) if node.op == "Const")
    known = [word for each in lists if each.tensor_shape.dim for word in each.string_val]
    return list(islice(cycle([b"?", *known]), count))


# name, TensorFlow's number of the type, how many values
_Feature = tuple[bytes, int, int]


def _features(body: Iterable[Any]) -> list[_Feature]:
    """What the first parsing operation of a graph or function wants."""
    nodes = {node.name: node for node in body}
    for node in nodes.values():
        if node.op in _KEYS:
            dense, sparse = _KEYS[node.op](node, nodes)
            return [*_dense(node, dense), *_sparse(node, sparse)]
    return []


def _dense(node: Any, keys: Sequence[bytes]) -> Iterator[_Feature]:
    types, shapes = node.attr["Tdense"].list.type, node.attr["dense_shapes"].list.shape
    for key, type_, shape in zip(keys, types, shapes):
        # an open size is one that each example chooses
        yield key, type_, math.prod(max(dim.size, 1) if dim.size < 0 else dim.size for dim in shape.dim)


def _sparse(node: Any, keys: Sequence[bytes]) -> Iterator[_Feature]:
    for key, type_ in zip(keys, node.attr["sparse_types"].list.type):
        yield key, type_, 1


def _inputs_each(node: Any, nodes: dict[str, Any]) -> tuple[list[bytes], list[bytes]]:
    """ParseExample: one input a key, after the serialized examples and their names."""
    few, many = node.attr["Nsparse"].i, node.attr["Ndense"].i
    keys = [key for name in node.input[2 : 2 + few + many] for key in _constant(name, nodes)]
    return keys[few:], keys[:few]


def _inputs_together(node: Any, nodes: dict[str, Any]) -> tuple[list[bytes], list[bytes]]:
    """ParseExampleV2: all keys of a kind in one input."""
    return _constant(node.input[3], nodes), _constant(node.input[2], nodes)


def _attributes(node: Any, nodes: dict[str, Any]) -> tuple[list[bytes], list[bytes]]:
    """ParseSingleExample: keys are attributes."""
    return list(node.attr["dense_keys"].list.s), list(node.attr["sparse_keys"].list.s)


_KEYS = {"ParseExample": _inputs_each, "ParseExampleV2": _inputs_together, "ParseSingleExample": _attributes}


def _constant(name: str, nodes: dict[str, Any]) -> list[bytes]:
    node = nodes.get(graphs.node_name(name))
    if node is None or node.op != "Const":
        return []
    return list(tf.make_ndarray(node.attr["value"].tensor).ravel())


def _example(features: Sequence[_Feature], text: bytes, draw: np.random.Generator) -> bytes:
    example = tf.train.Example()
    for key, type_, count in features:
        feature = example.features.feature[key.decode()]
        if type_ == tf.float32.as_datatype_enum:
            feature.float_list.value.extend(draw.random(count))
        elif type_ == tf.int64.as_datatype_enum:
            feature.int64_list.value.extend(draw.integers(0, 2, count))
        else:
            feature.bytes_list.value.extend([text] * count)
    return bytes(example.SerializeToString())
