"""Methods there are not, bytes that are no request, health, and the Unix socket."""

from __future__ import annotations

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from serving.conformance.asking import ask, ask_raw
from serving.conformance.case import Bench, case
from serving.conformance.cases.predict import answer
from serving.conformance.questions import predict

_SERVICE = "tensorflow.serving.PredictionService"


@case("Other: an unknown method")
def _unknown_method(bench: Bench) -> None:
    ask_raw(bench.channel, f"{_SERVICE}/Foretell", b"", predict_pb2.PredictResponse).require("UNIMPLEMENTED", "")


@case("Other: SessionService.SessionRun")
def _session_run(bench: Bench) -> None:
    method = "tensorflow.serving.SessionService/SessionRun"
    ask_raw(bench.channel, method, b"", predict_pb2.PredictResponse).require("UNIMPLEMENTED", "")


@case("Other: bytes that are no request")
def _no_request(bench: Bench) -> None:
    ask_raw(bench.channel, f"{_SERVICE}/Predict", b"\xff\xff", predict_pb2.PredictResponse).require("INTERNAL", "")


@case("Other: health", own=True)
def _health(bench: Bench) -> None:
    check = bench.channel.unary_unary("/grpc.health.v1.Health/Check")

    assert check(b"", timeout=5) == b"\x08\x01"


@case("Other: a Unix socket", own=True)
def _unix_socket(bench: Bench) -> None:
    with grpc.insecure_channel(f"unix:{bench.target.folder / 'socket'}") as channel:
        ask(channel, predict()).require("OK", answer("23.0 27.0 50.0 63.0"))


@case("Other: a request of more than 4 MB")
def _large(bench: Bench) -> None:
    bench.ask(predict(inputs={"x": np.zeros((500_000, 3), np.float32)}, outputs=["y"])).require("OK")


@case("Other: an unknown flag is named and passed over", own=True)
def _unknown_flag(bench: Bench) -> None:
    assert bench.target.log is not None
    assert "nknown argument" in bench.target.log.read_text(errors="replace")
