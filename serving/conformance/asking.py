"""One question to a server and its answer, as text that can be compared with what the real server said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Union

import grpc
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

_METHODS = {
    predict_pb2.PredictRequest: ("PredictionService/Predict", predict_pb2.PredictResponse),
    classification_pb2.ClassificationRequest: ("PredictionService/Classify", classification_pb2.ClassificationResponse),
    regression_pb2.RegressionRequest: ("PredictionService/Regress", regression_pb2.RegressionResponse),
    inference_pb2.MultiInferenceRequest: ("PredictionService/MultiInference", inference_pb2.MultiInferenceResponse),
    get_model_metadata_pb2.GetModelMetadataRequest: (
        "PredictionService/GetModelMetadata",
        get_model_metadata_pb2.GetModelMetadataResponse,
    ),
    get_model_status_pb2.GetModelStatusRequest: (
        "ModelService/GetModelStatus",
        get_model_status_pb2.GetModelStatusResponse,
    ),
    model_management_pb2.ReloadConfigRequest: (
        "ModelService/HandleReloadConfigRequest",
        model_management_pb2.ReloadConfigResponse,
    ),
}
Text = Union[str, "re.Pattern[str]"]
TIMEOUT_S = 12.0


class Mismatch(AssertionError):
    """The server answered something else than the real one."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        code: gRPC's, such as OK.
        details: the message of a refusal.
        message: the answer itself; None when it was refused.
    """

    code: str
    details: str
    message: Any = None

    @property
    def text(self) -> str:
        """The message of a refusal, or the answer as protobuf text on one line."""
        return self.details if self.message is None else text_format.MessageToString(self.message, as_one_line=True)

    def require(self, code: str, text: Text | None = None) -> Answer:
        """Mismatch unless it is this; any text will do when None."""
        fits = text is None or (self.text == text if isinstance(text, str) else bool(text.fullmatch(self.text)))
        if self.code != code or not fits:
            wanted = code if text is None else f"{code} {text if isinstance(text, str) else text.pattern!r}"
            raise Mismatch(f"expected {wanted}\n     got {self.code} {self.text}")
        return self


def ask(channel: grpc.Channel, request: Any, timeout_s: float = TIMEOUT_S) -> Answer:
    """Send any request of the two services."""
    method, answer = _METHODS[type(request)]
    return ask_raw(channel, f"tensorflow.serving.{method}", request.SerializeToString(), answer, timeout_s)


def ask_raw(channel: grpc.Channel, method: str, raw: bytes, answer: Any, timeout_s: float = TIMEOUT_S) -> Answer:
    """Send bytes to a method."""
    try:
        message = channel.unary_unary(f"/{method}", response_deserializer=answer.FromString)(raw, timeout=timeout_s)
    except grpc.RpcError as error:
        return Answer(error.code().name, error.details() or "")
    return Answer("OK", "", message)
