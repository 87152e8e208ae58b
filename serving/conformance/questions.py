"""The requests that cases send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from clients.wire import tensors

X = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def spec(
    into: Any, name: str | None, version: int | None = None, label: str | None = None, signature: str = ""
) -> None:
    """Fill a ModelSpec; None leaves it out."""
    if name is None:
        return
    into.SetInParent()
    into.name, into.signature_name = name, signature
    if version is not None:
        into.version.value = version
    if label is not None:
        into.version_label = label


def predict(
    name: str | None = "dense",
    inputs: Mapping[str, Any] | None = None,
    *,
    outputs: Sequence[str] = (),
    **which: Any,
) -> Any:
    """A PredictRequest: arrays by input name, ``X`` as x when left out."""
    request = predict_pb2.PredictRequest(output_filter=outputs)
    spec(request.model_spec, name, **which)
    for key, array in ({"x": X} if inputs is None else inputs).items():
        tensors.encode(array, request.inputs[key])
    return request


def tensor(text: str) -> Any:
    """A PredictRequest to dense whose x is this TensorProto."""
    request = predict(inputs={})
    text_format.Parse(text, request.inputs["x"])
    return request


def classify(examples: str = "", name: str | None = "half_plus_two", **which: Any) -> Any:
    """A ClassificationRequest; ``examples`` is an Input as protobuf text."""
    request = classification_pb2.ClassificationRequest()
    return _with_examples(request, examples, name, which)


def regress(examples: str = "", name: str | None = "half_plus_two", **which: Any) -> Any:
    """A RegressionRequest; ``examples`` is an Input as protobuf text."""
    request = regression_pb2.RegressionRequest()
    return _with_examples(request, examples, name, which)


def _with_examples(request: Any, examples: str, name: str | None, which: Mapping[str, Any]) -> Any:
    spec(request.model_spec, name, **which)
    text_format.Parse(examples, request.input)
    return request


def multi_inference(tasks: Sequence[tuple[str, str, str]], examples: str) -> Any:
    """A MultiInferenceRequest; tasks are model, signature and method."""
    request = inference_pb2.MultiInferenceRequest()
    for name, signature, method in tasks:
        task = request.tasks.add(method_name=method)
        spec(task.model_spec, name, signature=signature)
    text_format.Parse(examples, request.input)
    return request


def example(number: float | str, feature: str = "x", kind: str = "float_list") -> str:
    """One tf.Example as protobuf text."""
    return f'features {{ feature {{ key: "{feature}" value {{ {kind} {{ value: {number} }} }} }} }}'


ONE = f"example_list {{ examples {{ {example(2)} }} }}"
IN_CONTEXT = f"example_list_with_context {{ examples {{ }} context {{ {example(2)} }} }}"
NOTHING = "example_list { }"
WITHOUT_X = f"example_list {{ examples {{ {example(2, 'other')} }} }}"
INTEGERS = f"example_list {{ examples {{ {example(2, kind='int64_list')} }} }}"


def metadata(name: str | None, fields: Sequence[str] = ("signature_def",), **which: Any) -> Any:
    """A GetModelMetadataRequest."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    spec(request.model_spec, name, **which)
    return request


def status(name: str | None, **which: Any) -> Any:
    """A GetModelStatusRequest."""
    request = get_model_status_pb2.GetModelStatusRequest()
    spec(request.model_spec, name, **which)
    return request


def config(*models: str) -> str:
    """A ModelServerConfig out of the texts of its models."""
    return "model_config_list { " + " ".join(f"config {{ {model} }}" for model in models) + " }"


def model(folder: Path, name: str, *more: str, base: str | None = None) -> str:
    """One model of a config, its base path named as it is unless ``base`` says otherwise."""
    lines = [f'name: "{name}"', f'base_path: "{folder / (base or name)}"', 'model_platform: "tensorflow"', *more]
    return " ".join(lines)


def reload(text: str | None) -> Any:
    """A ReloadConfigRequest; None leaves the config out."""
    request = model_management_pb2.ReloadConfigRequest()
    if text is not None:
        text_format.Parse(text, request.config)
        request.config.SetInParent()
    return request


ALL = "model_version_policy { all { } }"


def label(name: str, version: int) -> str:
    """A label in a config."""
    return f'version_labels {{ key: "{name}" value: {version} }}'


def specific(*versions: int) -> str:
    """The policy that serves these versions."""
    return "model_version_policy { specific { " + " ".join(f"versions: {each}" for each in versions) + " } }"
