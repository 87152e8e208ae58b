"""Whether a comparison keeps the server busy: python benchmarks/compare.py (after make demo)

Asks one embedded server about a data set as `compare` does, pictures read and decoded, answers checked and written to
disk, and beside it puts the same server under `bench` at the same batch and as many requests in flight, with the same
pictures encoded before. Both take turns, so that a slow moment of the machine hits both. The COCO detector of the
material (SUITE_MATERIAL) and the demo's own. Also how long the judging takes, and the memory of asking 5,000
questions. Writes benchmarks/results/compare.json: pictures a second, and the shares of bench's.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clients import bench, environment
from clients.ask import Expert
from clients.client import Client
from clients.compare import judging, run
from clients.loadgen.plan import Point, Rules
from evaluation.datasets import loading
from evaluation.datasets.questions import Dataset
from model_config.data import Data
from model_config.models import Task
from serving import address

ROUNDS = 5
MANY = 5000
LOADS = ((1, 1), (1, 4), (4, 2))  # questions a request, requests in flight
MATERIAL = Path(os.environ.get("SUITE_MATERIAL", "../shared/material"))
RESULT = Path(__file__).parent / "results" / "compare.json"
VERSIONS = (1, 2)
ENDS = "detection_boxes:0,detection_scores:0,detection_classes:0,num_detections:0"


@dataclass(frozen=True)
class Subject:
    """A model, and what it is asked about; ``repeated`` so many times, as a few pictures are asked in no time."""

    name: str
    source: Path
    data: Path
    task: Task
    options: tuple[str, ...] = ()
    repeated: int = 1

    def dataset(self, times: int | None = None) -> Dataset:
        """The data set, over and over."""
        found = loading.load(Data(path=self.data))
        return found.only([*found.questions] * (times or self.repeated))


SUBJECTS = (
    Subject("demo", Path(".cache/demo/detector/saved_model"), Path(".cache/demo/held_out"), Task(), (), 2),
    Subject(
        "ssd_mobilenet_v1_coco",
        MATERIAL / "models/ssd_mobilenet_v1_coco/frozen_inference_graph.pb",
        MATERIAL / "data/cc0_detection",
        Task(labels="coco"),
        ("--outputs", ENDS),
    ),
)


def main() -> None:
    """Measure what is there and write the result."""
    result: dict[str, Any] = {"environment": environment.describe(), "rounds": ROUNDS}
    for subject in SUBJECTS:
        if subject.source.exists() and subject.data.exists():
            with TemporaryDirectory() as folder, _serving(subject, Path(folder)) as server:
                result[subject.name] = _measured(subject, server, Path(folder))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _measured(subject: Subject, server: str, folder: Path) -> dict[str, Any]:
    dataset = subject.dataset()
    with Client(server) as client:
        loads = [_load(client, subject, dataset, folder, *load) for load in LOADS]
        many = subject.dataset(MANY // (len(dataset.questions) // subject.repeated) + 1)
        scale = _scale(client, subject, many.only(many.questions[:MANY]), folder) if subject.name == "demo" else {}
    return {"questions": len(dataset.questions), "loads": loads, **scale}


def _load(client: Client, subject: Subject, dataset: Dataset, folder: Path, batch: int, in_flight: int) -> Any:
    """The shares of bench's throughput, with one version and with both."""
    wanted = run.Wanted(subject.name, VERSIONS, subject.task, folder, folder / "asked", batch, in_flight)
    rounds = []
    for _ in range(ROUNDS):
        benched = _bench(client, wanted, dataset)
        alone = _asked(client, replace(wanted, versions=VERSIONS[:1]), dataset)
        both = _asked(client, wanted, dataset)
        rounds.append({"bench": benched, "one_version": alone, "two_versions": both})
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    shares = {
        f"{name}_share": round(statistics.median(each[name] / each["bench"] for each in rounds), 3)
        for name in ("one_version", "two_versions")
    }
    per_s = {f"{name}_per_s": round(value, 1) for name, value in medians.items()}
    return {"batch": batch, "in_flight": in_flight, **per_s, **shares, "rounds": rounds}


def _bench(client: Client, wanted: run.Wanted, dataset: Dataset) -> float:
    """Pictures a second of version 1, all pictures encoded before."""
    expert = Expert.connect(client, wanted.model, VERSIONS[0], task=wanted.task)
    contents = [question.read() for question in dataset.questions[:64]]
    rules = Rules(warm_up=2 * wanted.in_flight, requests=max(1, len(dataset.questions) // wanted.batch))
    load = Point(None, wanted.batch, wanted.in_flight)
    return float(bench.measure({1: expert}, contents, load, rules, lambda *_: None)[1]["images_per_s"])


def _asked(client: Client, wanted: run.Wanted, dataset: Dataset) -> float:
    """Answers a second, from the first question to the last answer on disk."""
    with run.stores(wanted.folder, wanted.versions) as files:
        for store in files.values():
            store.finish()  # so that all is asked again
    start = time.perf_counter()
    run.ask(client, wanted, dataset, lambda *_: None)
    return len(wanted.versions) * len(dataset.questions) / (time.perf_counter() - start)


def _scale(client: Client, subject: Subject, many: Dataset, folder: Path) -> Mapping[str, Any]:
    """What so many questions take: this process's peak memory after a tenth and after all, and the judging."""
    wanted = run.Wanted(subject.name, VERSIONS, subject.task, folder, folder / "many", 1, 4)
    run.ask(client, replace(wanted, folder=folder / "few"), many.only(many.questions[: MANY // 10]), lambda *_: None)
    few = _peak_mib()
    run.ask(client, wanted, many, lambda *_: None)
    all_ = _peak_mib()
    few_dataset = subject.dataset(1)
    run.ask(client, replace(wanted, folder=folder / "once"), few_dataset, lambda *_: None)
    with run.stores(folder / "once", VERSIONS) as files:
        start = time.perf_counter()
        judging.judge(files, few_dataset, subject.task)
        judged = time.perf_counter() - start
    return {
        "peak_mib_after_500": few,
        "peak_mib_after_5000": all_,
        f"judging_{len(few_dataset.questions)}_s": round(judged, 2),
    }


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


@contextmanager
def _serving(subject: Subject, folder: Path) -> Iterator[str]:
    versions = [part for number in VERSIONS for part in ("--version", str(number))]
    place = ("--repository", str(folder))
    _run("converters", "build", subject.name, "--source", subject.source, *subject.options, *versions, *place)
    port = str(address.free_ports())
    up = ("serving", "up", "--model", subject.name, *versions, *place, "--port", port, "--backend", "embedded")
    _run(*up, "--detach")
    try:
        yield f"{address.LOCAL}:{port}"
    finally:
        _run("serving", "down", "--port", port)


def _run(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
