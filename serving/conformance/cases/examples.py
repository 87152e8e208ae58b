"""Classify, Regress and MultiInference, as the real server answered."""

from __future__ import annotations

import re

from serving.conformance.case import Bench, Row, case, rows
from serving.conformance.questions import (
    CLASSIFY,
    IN_CONTEXT,
    INTEGERS,
    NOTHING,
    ONE,
    REGRESS,
    WITHOUT_X,
    classify,
    multi_inference,
    regress,
)

_NODE = "\n\t [[{{node ParseExample/ParseExample}}]]"
_LACKS = "Name: <unknown>, Feature: x (data type: float) is required but could not be found." + _NODE
_WRONG = "Name: <unknown>, Key: x, Index: 0.  Data types don't match. Data type: int64 but expected type: float" + _NODE


def _after(text: str) -> re.Pattern[str]:
    """The text and then a SignatureDef as protobuf text on several lines."""
    return re.compile(re.escape(text) + r"inputs \{\n(?s:.*)method_name: \"tensorflow/serving/\w+\"\n")


def _spec(signature: str) -> str:
    return f'model_spec {{ name: "half_plus_two" version {{ value: 123 }} signature_name: "{signature}" }}'


_C, _R = {"signature": "classify_x_to_y"}, {"signature": "regress_x_to_y"}
_CLASSIFIED = "result { classifications { classes { score: 3.0 } } } " + _spec("classify_x_to_y")
_REGRESSED = "result { regressions { value: 3.0 } } " + _spec("regress_x_to_y")

for _name, _ask, _good, _answer in (("Classify", classify, _C, _CLASSIFIED), ("Regress", regress, _R, _REGRESSED)):
    _table: dict[str, Row] = {
        "one example": (_ask(ONE, **_good), "OK", _answer),
        "one with a context": (_ask(IN_CONTEXT, **_good), "OK", _answer),
        "no model_spec": (_ask(ONE, None), "INVALID_ARGUMENT", "Missing ModelSpec"),
        "unknown model": (_ask(ONE, "nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        "unknown version": (
            _ask(ONE, version=99),
            "NOT_FOUND",
            "Servable not found for request: Specific(half_plus_two, 99)",
        ),
        "unknown signature": (
            _ask(ONE, signature="nosig"),
            "INVALID_ARGUMENT",
            "No signature was found with the name: nosig",
        ),
        "no input": (_ask("", **_good), "INVALID_ARGUMENT", "Input is empty."),
        "no examples": (_ask(NOTHING, **_good), "INVALID_ARGUMENT", "Input is empty."),
        "an example without the feature": (_ask(WITHOUT_X, **_good), "INVALID_ARGUMENT", _LACKS),
        "a feature of the wrong type": (_ask(INTEGERS, **_good), "INVALID_ARGUMENT", _WRONG),
    }
    rows(_name, _table)

_NO_CLASSES = _after("No classification inputs found in SignatureDef: ")
_NO_VALUES = _after("No regression inputs found in SignatureDef: ")
rows(
    "Classify",
    {
        "a signature for Predict": (classify(ONE), "INVALID_ARGUMENT", _NO_CLASSES),
        "a model without such": (classify(ONE, "dense"), "INVALID_ARGUMENT", _NO_CLASSES),
        "a signature for Regress": (
            classify(ONE, **_R),
            "INVALID_ARGUMENT",
            _after(
                'Expected classification signature outputs to contain at least one of "classes" or "scores". '
                "Signature was: "
            ),
        ),
    },
)
rows(
    "Regress",
    {
        "a signature for Predict": (regress(ONE), "INVALID_ARGUMENT", _NO_VALUES),
        "a model without such": (regress(ONE, "dense"), "INVALID_ARGUMENT", _NO_VALUES),
        "a signature for Classify": (
            regress(ONE, **_C),
            "INVALID_ARGUMENT",
            _after("No regression outputs found in SignatureDef: "),
        ),
    },
)

_TO_Y = ("half_plus_two", "regress_x_to_y", REGRESS)
_TO_CLASS = ("half_plus_two", "classify_x_to_y", CLASSIFY)
rows(
    "MultiInference",
    {
        "no tasks": (multi_inference([], ONE), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        "two models": (
            multi_inference([_TO_Y, ("dense", "x", CLASSIFY)], ONE),
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        "a signature twice": (
            multi_inference([_TO_Y, _TO_Y], ONE),
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress_x_to_y",
        ),
        "unknown model": (
            multi_inference([("nope", "x", REGRESS)], ONE),
            "NOT_FOUND",
            "Servable not found for request: Latest(nope)",
        ),
        "Predict's method": (
            multi_inference([("half_plus_two", "serving_default", "tensorflow/serving/predict")], ONE),
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        "a method there is not": (
            multi_inference([("half_plus_two", "regress_x_to_y", "foo")], ONE),
            "UNIMPLEMENTED",
            "Unsupported signature method_name: foo",
        ),
        "no input": (multi_inference([_TO_Y], ""), "INVALID_ARGUMENT", "Input is empty."),
    },
)


@case("MultiInference: a value and a class of one example")
def _two_results(bench: Bench) -> None:
    results = bench.ask(multi_inference([_TO_Y, _TO_CLASS], ONE)).require("OK").message.results

    assert [each.model_spec.signature_name for each in results] == ["regress_x_to_y", "classify_x_to_y"]
    assert results[0].regression_result.regressions[0].value == 3.0
    assert results[1].classification_result.classifications[0].classes[0].score == 3.0
