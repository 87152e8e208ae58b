"""tf.Examples as JSON for Classify and Regress, refused in the stock server's words where they are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.input_pb2 import Input

from serving.embedded import refusals, rest_json

_LARGEST_INT64 = 2**63 - 1
# how the stock server's JSON library calls the types
_JSON_TYPES: Mapping[type, str] = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


def read(document: Mapping[str, Any]) -> Input:
    """The Input of a body, with the context that all of its examples share where there is one."""
    into = Input()
    given = document.get("examples")
    if given is None:
        raise rest_json.wrong(document, "When method is classify, key 'examples' is expected and was not found")
    if not isinstance(given, list):
        raise rest_json.wrong(document, "Expecting 'examples' value to be an list/array")
    if not given:
        raise rest_json.wrong(document, "'examples' value is an empty array")
    if "context" in document:
        into.example_list_with_context.context.CopyFrom(_example(document["context"]))
        into.example_list_with_context.examples.extend(map(_example, given))
    else:
        into.example_list.examples.extend(map(_example, given))
    return into


def _example(value: Any) -> tf.train.Example:
    if not isinstance(value, dict):
        raise refusals.invalid(f"Example must be JSON object but got JSON {_type(value)}")
    features = {name: _feature(name, found if isinstance(found, list) else [found]) for name, found in value.items()}
    return tf.train.Example(features=tf.train.Features(feature=features))


def _feature(name: str, values: list[Any]) -> tf.train.Feature:
    """One feature; its first value says of which kind all must be."""
    feature = tf.train.Feature()
    for value in values:
        kind, plain = _value(name, value)
        there = feature.WhichOneof("kind")
        if there not in (None, kind):
            text = f"Unexpected element type in feature: {name} expecting type: {str(there).partition('_')[0]}"
            raise refusals.invalid(text)
        getattr(feature, kind).value.append(plain)
    return feature


def _value(name: str, value: Any) -> tuple[str, Any]:
    """The kind of list a value belongs in, and what it is there."""
    if isinstance(value, str):
        return "bytes_list", value.encode()
    if rest_json.is_base64(value):
        return "bytes_list", rest_json.from_base64(value)
    if isinstance(value, float):
        return "float_list", _as_float(value)
    if isinstance(value, int):  # a boolean is one too
        if value > _LARGEST_INT64:
            raise refusals.invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        return "int64_list", int(value)
    raise refusals.invalid(f"Feature: {name} has element with unexpected JSON type: {_type(value)}")


def _as_float(value: float) -> float:
    if np.isfinite(value) and abs(value) > np.finfo(np.float32).max:
        raise refusals.invalid(f"Cannot convert JSON value: {value} to float without loss of precision.")
    return value


def _type(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "True", False: "False", None: "Null"}[value]
    return _JSON_TYPES[type(value)]


def classes(result: Any) -> bytes:
    """The body for a ClassificationResult: a label and a score for each class of each example."""
    return rest_json.results([_labelled(row.classes) for row in result.classifications])


def _labelled(found: Sequence[Any]) -> list[tuple[str, float]]:
    scores = rest_json.short(np.array([each.score for each in found], np.float32))
    return [(each.label, score) for each, score in zip(found, scores)]


def values(result: Any) -> bytes:
    """The body for a RegressionResult: a value for each example."""
    return rest_json.results(rest_json.short(np.array([each.value for each in result.regressions], np.float32)))
