"""Classify, Regress and MultiInference: tf.Examples in, class scores or values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf import text_format
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from serving.embedded import model_spec, refusals
from serving.embedded.signature import Signature

if TYPE_CHECKING:
    from serving.embedded.loading import Loaded

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def classify(loaded: Loaded, signature_name: str, sent: Any, timeout_s: float | None) -> Any:
    """The ClassificationResult of a signature for an Input."""
    signature = _signature(loaded, signature_name)
    names = _classify_outputs(signature)
    examples = _serialized(sent)
    outputs = loaded.run(signature, names, [examples], "Classify", timeout_s)
    return _classifications(dict(zip(names, outputs)), len(examples))


def regress(loaded: Loaded, signature_name: str, sent: Any, timeout_s: float | None) -> Any:
    """The RegressionResult of a signature for an Input."""
    signature = _signature(loaded, signature_name)
    names = _regress_outputs(signature)
    examples = _serialized(sent)
    (values,) = loaded.run(signature, names, [examples], "Regress", timeout_s)
    return _regressions(values, len(examples))


def multi_inference(loaded: Loaded, name: str, version: int, request: Any, timeout_s: float | None) -> Any:
    """The MultiInferenceResponse of several signatures for one Input."""
    response = inference_pb2.MultiInferenceResponse()
    _require_different(request.tasks)
    for task in request.tasks:
        signature_name = task.model_spec.signature_name or model_spec.DEFAULT_SIGNATURE
        result = response.results.add()
        result.model_spec.name, result.model_spec.version.value = name, version
        result.model_spec.signature_name = signature_name
        if task.method_name == CLASSIFY:
            result.classification_result.CopyFrom(classify(loaded, signature_name, request.input, timeout_s))
        else:
            result.regression_result.CopyFrom(regress(loaded, signature_name, request.input, timeout_s))
    return response


def count(sent: Any) -> int:
    """How many examples an Input holds."""
    return len(_examples(sent))


def _examples(sent: Any) -> Sequence[Any]:
    kind = sent.WhichOneof("kind")
    found: Sequence[Any] = getattr(sent, kind).examples if kind else ()
    return found


def _require_different(tasks: Sequence[Any]) -> None:
    seen = set()
    for task in tasks:
        if task.model_spec.name != tasks[0].model_spec.name:
            raise refusals.invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        if task.model_spec.signature_name in seen:
            raise refusals.invalid(f"Duplicate evaluation of signature: {task.model_spec.signature_name}")
        if task.method_name not in (CLASSIFY, REGRESS):
            text = f"Unsupported signature method_name: {task.method_name}"
            raise refusals.Refusal(refusals.UNIMPLEMENTED, text)
        seen.add(task.model_spec.signature_name)


def _signature(loaded: Loaded, name: str) -> Signature:
    if name not in loaded.signatures:
        raise refusals.invalid(f"No signature was found with the name: {name}")
    return loaded.signatures[name]


def _classify_outputs(signature: Signature) -> tuple[str, ...]:
    found = tuple(sorted(signature.proto.outputs))
    _require_one_input(signature)
    if len(found) not in (1, 2):
        raise refusals.invalid(f"Expected one or two output Tensors, found {len(found)}")
    _require_input_named(signature, "classification")
    names = tuple(name for name in ("classes", "scores") if name in found)
    if not names:
        raise refusals.invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {_told(signature)}"
        )
    return names


def _regress_outputs(signature: Signature) -> tuple[str, ...]:
    _require_one_input(signature)
    if len(signature.proto.outputs) != 1:
        raise refusals.invalid("Expected one output Tensor.")
    _require_input_named(signature, "regression")
    if "outputs" not in signature.proto.outputs:
        raise refusals.invalid(f"No regression outputs found in SignatureDef: {_told(signature)}")
    return ("outputs",)


def _require_one_input(signature: Signature) -> None:
    if len(signature.inputs) != 1:
        raise refusals.invalid("Expected one input Tensor.")


def _require_input_named(signature: Signature, kind: str) -> None:
    if signature.inputs != ("inputs",):
        raise refusals.invalid(f"No {kind} inputs found in SignatureDef: {_told(signature)}")


def _told(signature: Signature) -> str:
    return text_format.MessageToString(signature.proto)


def _serialized(sent: Any) -> np.ndarray[Any, Any]:
    """The examples of an Input as the graph parses them; a context is part of each of them."""
    examples = _examples(sent)
    if not examples:
        raise refusals.invalid("Input is empty.")
    # empty where there is none
    context = sent.example_list_with_context.context.SerializeToString()
    array = np.empty(len(examples), np.object_)
    # two messages one behind the other are one that has the fields of both
    array[:] = [context + each.SerializeToString() for each in examples]
    return array


def _classifications(outputs: dict[str, np.ndarray[Any, Any]], count: int) -> Any:
    for name, array in outputs.items():
        _require_table(name, array, count)
    if len({array.shape for array in outputs.values()}) > 1:
        sizes = " vs. ".join(str(outputs[name].shape[1]) for name in ("classes", "scores"))
        raise refusals.invalid(f"Tensors class and score should match in dim_size(1). Got {sizes}")
    result = classification_pb2.ClassificationResult()
    for row in range(count):
        classes = result.classifications.add().classes
        for column in range(next(iter(outputs.values())).shape[1]):
            found = classes.add()
            if "classes" in outputs:
                found.label = outputs["classes"][row, column]
            if "scores" in outputs:
                found.score = outputs["scores"][row, column]
    return result


def _require_table(name: str, array: np.ndarray[Any, Any], count: int) -> None:
    wanted, kind = (np.object_, "DT_STRING") if name == "classes" else (np.float32, "DT_FLOAT")
    if array.ndim != 2:
        shape = ",".join(map(str, array.shape))
        raise refusals.invalid(f"Expected Tensor shape: [batch_size num_classes] but got [{shape}]")
    if array.dtype != wanted:
        raise refusals.invalid(f"Expected {name} Tensor of {kind}. Got: {array.dtype}")
    if len(array) != count:
        raise refusals.invalid(f"Expected {name} output batch size of {count}. Got: {len(array)}")


def _regressions(values: np.ndarray[Any, Any], count: int) -> Any:
    if values.ndim != 1 and values.shape[1:] != (1,):
        shape = ",".join(map(str, values.shape))
        raise refusals.invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [{shape}]"
        )
    if len(values) != count:
        raise refusals.invalid(f"Expected output batch size of {count}. Got: {len(values)}")
    if values.dtype != np.float32:
        raise refusals.invalid(f"Expected output Tensor of DT_FLOAT.  Got: {values.dtype}")
    result = regression_pb2.RegressionResult()
    for value in values.reshape(-1).tolist():
        result.regressions.add(value=value)
    return result
