"""What TensorRT is worth, on this machine's GPU: python benchmarks/trt.py resnet50|retinanet|ssd [--versions 4,5]

Builds the versions of a model as users do, proofs included, then runs them in turns, inputs on the GPU, answers copied
to the host, and writes benchmarks/results/trt-MODEL.json. Native is version 1 in TensorFlow, with strict FP32 and with
TF32, which is TensorFlow's default. A second run adds to the first one's file what it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))  # a program, not a package
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import numpy as np
import trt_models
import trt_timing
from graphs import MATERIAL

from clients import environment
from converters import build
from converters.judging import judge
from converters.tensorrt import machine
from model_config import models
from model_config.errors import SuiteError

RESULTS: Final = Path(__file__).parent / "results"
VERSIONS: Final = (1, 7, 4, 5, 6)
_PICTURES: Final = MATERIAL / "data" / "coco_calibration" / "images"
_LABELLED: Final = MATERIAL / "data" / "cc0_detection"


@dataclass(frozen=True)
class Subject:
    """A model to measure: how it is made, which batch sizes it gets, and what it is asked."""

    make: Callable[[Path], Path]
    batches: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str = "float32"
    outputs: tuple[str, ...] = ()
    labelled: Path | None = None
    shapes: str = "auto"
    any_size: bool = False

    def feed(self, batch: int) -> Any:
        """Random values in the usual range."""
        draw = np.random.default_rng(1)
        if self.dtype == "uint8":
            return draw.integers(0, 256, (batch, *self.shape), np.uint8)
        return draw.uniform(-1, 1, (batch, *self.shape)).astype(np.float32)

    def model(self, name: str, source: Path, work: Path) -> models.Model:
        """The entry as models.yaml would have it."""
        calibration = _PICTURES if _PICTURES.is_dir() and self.dtype == "uint8" else work / "calibration.npy"
        if calibration.suffix == ".npy" and not calibration.exists():
            np.save(calibration, self.feed(64))
        entry = {
            "source": source,
            "outputs": self.outputs,
            "batch_sizes": self.batches,
            "calibration": {"path": calibration, "pixels": (-1.0, 1.0), "batch_size": 8},
            "data": self.labelled,
            "tensorrt": {"shapes": self.shapes},
            # what is measured here is not judged here, and random weights may degrade by more than all
            "goals": {"accuracy": {"max-degradation": 1e9}},
        }
        return models.parse(name, entry, "benchmark")


_DETECTOR: Final = ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0")
SUBJECTS: Final = {
    # one engine for all batch sizes, as one for each would take a quarter of an hour and more to build
    "resnet50": Subject(trt_models.resnet50, (1, 8, 32, 128, 256), (224, 224, 3), shapes="dynamic"),
    "retinanet": Subject(trt_models.retinanet, (1, 8), (640, 640, 3)),
    "ssd": Subject(trt_models.ssd, (1, 8, 32), (480, 640, 3), "uint8", _DETECTOR, _LABELLED, any_size=True),
}


def main() -> None:
    """Build, measure, write."""
    asked = _arguments()
    subject, work = SUBJECTS[asked.model], Path(asked.work, asked.model)
    work.mkdir(parents=True, exist_ok=True)
    source = work / "source"
    source = source if source.exists() else subject.make(source)
    model = subject.model(asked.model, source, work)
    path = RESULTS / f"{asked.results or f'trt-{asked.model}'}.json"
    result = json.loads(path.read_text()) if path.exists() else {"versions": {}, "measured": {}}
    result["environment"] = {**environment.describe(), **asdict(machine.here()), **_gpu()}
    if asked.note:
        result["note"] = asked.note

    def save() -> None:
        path.write_text(json.dumps(result, indent=2) + "\n")

    for number in asked.versions:
        result["versions"][str(number)] = _built(model, number, work)
        save()
    if not asked.build_only:
        there = [number for number in asked.versions if "failed" not in result["versions"][str(number)]]
        folders = {number: work / "models" / model.name / str(number) for number in there}
        trt_timing.measure(subject, folders, asked.seconds, result["measured"], save)
        _judge(model, subject, there, work, result["versions"])
    save()
    print(json.dumps(result["measured"], indent=1))


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=SUBJECTS)
    parser.add_argument("--versions", type=lambda text: [int(n) for n in text.split(",")], default=list(VERSIONS))
    parser.add_argument("--work", default=".cache/benchmarks", help="where models and versions are kept")
    parser.add_argument("--seconds", type=float, default=5.0, help="for one version and batch size, at most")
    parser.add_argument("--results", help="the result file's name, if another")
    parser.add_argument("--note", help="a sentence for the file, such as on what else the machine did meanwhile")
    parser.add_argument("--build-only", action="store_true", help="measure later")
    return parser.parse_args()


def _built(model: models.Model, number: int, work: Path) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        made = build.build(model, number, work / "models", lambda step, record: None, replace=True, below_goal=True)
    except SuiteError as error:
        print(f"version {number}: {error}", file=sys.stderr)
        return {"failed": str(error)}
    told = made.manifest
    row = {"seconds": told.seconds if not made.fresh else round(time.perf_counter() - start, 1)}
    row |= {"size_bytes": told.size_bytes, "largest_difference": told.differences}
    if told.tensorrt:
        row["tensorrt"] = told.tensorrt.model_dump(mode="json")
    print(f"version {number}: built in {row['seconds']} s", file=sys.stderr)
    return row


def _judge(model: models.Model, subject: Subject, versions: list[int], work: Path, rows: dict[str, Any]) -> None:
    """The metric of every version on labelled pictures, where there are any."""
    if subject.labelled is None or not subject.labelled.is_dir():
        return
    folders = work / "models" / model.name
    referee = judge.judge_for(model, folders / "1", "serving_default")
    for number in versions:
        score = referee.score(folders / str(number))
        rows[str(number)]["metric"] = {"name": score.metric, "value": round(score.value, 4), "met": score.met}


def _gpu() -> dict[str, str]:
    """Clocks and limits as the driver states them."""
    fields = "clocks.sm,clocks.mem,clocks.max.sm,power.limit,temperature.gpu,memory.total"
    try:
        told = subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    first = told.stdout.partition("\n")[0]
    return dict(zip(fields.split(","), (value.strip() for value in first.split(","))))


if __name__ == "__main__":
    main()
