"""What the client adds to a question and its answer: python benchmarks/client.py

Writes benchmarks/results/client.json: milliseconds, the fastest and the median of many turns (a shared machine only
adds to them), each beside what numpy needs for the same bytes in the same run.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clients import environment
from clients.client import predict_request
from clients.reading import read_prediction
from clients.spec import spec_of
from clients.wire import framing, tensors
from clients.wire import serving_pb2 as wire
from evaluation import labels
from evaluation.tasks import detection

TURNS = 15
# what takes less than a millisecond is repeated in each turn, as it is in a client that asks again and again
REPEATED = 100
RESULT = Path(__file__).parent / "results" / "client.json"
SPEC = spec_of("m", 1)


def main() -> None:
    """Measure in turn, so that a slow moment of the machine hits what is compared alike."""
    random = np.random.default_rng(1)
    batch = random.integers(0, 256, (32, 640, 640, 3), np.uint8)
    floats = random.random(2_150_000, np.float32)
    one, hundred = _answer({"y": floats}), _answer(_boxes(100, random))
    packed = one[-floats.nbytes :]
    coco = labels.load("coco")
    milliseconds = _measured(
        {
            "memory copy of 32 pictures of 640x640 (ndarray.tobytes)": batch.tobytes,
            "the same pictures into a request": lambda: framing.predict_request(SPEC, {"x": batch}),
            "the same through protobuf's messages": lambda: _through_messages(batch),
            "numpy's conversion of 8.6 MB of floats as they came (frombuffer, copy)": lambda: np.frombuffer(
                packed, "<f4"
            ).copy(),
            "an answer of the same floats": lambda: read_prediction(one, SPEC),
            "the same through protobuf's messages (fromiter)": lambda: _read_through_messages(one),
        }
    )
    boxes = {
        "an answer of 100 boxes to detections": lambda: detection.decode(
            read_prediction(hundred, SPEC).outputs, [(640, 640)], coco, 0.0
        )
    }
    milliseconds.update(_measured(boxes, REPEATED))
    result = {"environment": environment.describe(), "turns": TURNS, "milliseconds": milliseconds}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _measured(programs: Mapping[str, Callable[[], Any]], repeated: int = 1) -> dict[str, dict[str, float]]:
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(TURNS):
        for name, program in programs.items():
            start = time.perf_counter()
            for _ in range(repeated):
                program()
            taken[name].append(1e3 * (time.perf_counter() - start) / repeated)
    return {
        name: {"fastest": round(min(each), 4), "median": round(statistics.median(each), 4)}
        for name, each in taken.items()
    }


def _through_messages(batch: np.ndarray[Any, Any]) -> bytes:
    return predict_request("m", {"x": batch}, version=1).SerializeToString()


def _read_through_messages(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    outputs = wire.PredictResponse.FromString(content).outputs
    return {name: tensors.decode(proto) for name, proto in outputs.items()}


def _answer(outputs: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """As the stock server writes it: typed fields."""
    response = wire.PredictResponse(model_spec=SPEC)
    for name, array in outputs.items():
        tensors.encode(array, response.outputs[name], typed=True)
    return response.SerializeToString()


def _boxes(count: int, random: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    return {
        "detection_boxes": random.random((1, count, 4), np.float32),
        "detection_classes": random.integers(1, 91, (1, count)).astype(np.float32),
        "detection_scores": random.random((1, count), np.float32),
        "num_detections": np.array([count], np.float32),
    }


if __name__ == "__main__":
    main()
