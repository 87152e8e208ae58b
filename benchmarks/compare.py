"""Whether a comparison keeps the server busy: python benchmarks/compare.py (after make demo; about five minutes)

Asks one embedded server about a data set as `compare` does, pictures read and decoded, answers checked and written to
disk, and beside it puts the same server under `bench` at the same batch and as many requests in flight, with the same
pictures encoded before. Both take turns, so that a slow moment of the machine hits both. The demo's detector and the
COCO one of the material (SUITE_MATERIAL), each twice: server and client share all processors, where every picture that
is decoded takes time from the server; and apart, the server on the first half of the processors and the client on the
second, which shows whether the server ever waits. Beside the shares, what a question to one version costs the client in
processor time, and how much of that is reading and decoding its picture, which no client can save. Also the peak memory
of the whole command `compare` on 500 and on 5,000 drawn pictures. Writes benchmarks/results/compare.json, or another
that is named, anew after every part: pictures a second, and the shares of bench's. --repository takes versions that
were built before, such as those for a GPU: --results compare-gpu --repository models --subjects NAME --versions 4
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clients import environment
from clients.ask import Expert
from clients.client import Client
from clients.compare import measuring, run
from clients.speed import Loads
from demo import shapes
from evaluation.datasets import loading
from evaluation.datasets.questions import Dataset
from model_config.data import Data
from model_config.models import Task
from serving import address

ROUNDS = 3
FEW, MANY = 500, 5000
LOADS = ((1, 4), (4, 2))  # questions a request, requests in flight
CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = set(CORES[: len(CORES) // 2]) or {CORES[0]}, set(CORES[len(CORES) // 2 :])
MATERIAL = Path(os.environ.get("SUITE_MATERIAL", "../shared/material"))
RESULTS = Path(__file__).parent / "results"
SEED = 1000  # the demo's held-out pictures come of it too, so none was learnt from
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
    loads: tuple[tuple[int, int], ...] = LOADS

    def dataset(self) -> Dataset:
        """The data set, over and over."""
        found = loading.load(Data(path=self.data))
        return found.only([*found.questions] * self.repeated)


@dataclass(frozen=True)
class Tried:
    """A model's versions, where they are, and a place for what is written."""

    subject: Subject
    versions: tuple[int, ...]
    repository: Path
    scratch: Path


SUBJECTS = (
    Subject("demo", Path(".cache/demo/detector/saved_model"), Path(".cache/demo/held_out"), Task(), (), 3),
    Subject(
        "ssd_mobilenet_v1_coco",
        MATERIAL / "models/ssd_mobilenet_v1_coco/frozen_inference_graph.pb",
        MATERIAL / "data/cc0_detection",
        Task(labels="coco"),
        ("--outputs", ENDS),
        loads=LOADS[:1],  # as it takes ten times as long
    ),
)


def main() -> None:
    """Measure what is there and write the result as it grows."""
    asked = _arguments()
    result: dict[str, Any] = {"environment": environment.describe(), "rounds": ROUNDS, "versions": asked.versions}
    for subject in SUBJECTS:
        if subject.name in asked.subjects and subject.source.exists() and subject.data.exists():
            subject = replace(subject, repeated=subject.repeated * asked.times)
            with TemporaryDirectory() as scratch:
                folder = asked.repository or Path(scratch)
                if not asked.repository:
                    _build(subject, asked.versions, folder)
                tried = Tried(subject, tuple(asked.versions), folder, Path(scratch))
                for words, found in _measured(tried, asked.parts):
                    result.setdefault(subject.name, {})[words] = found
                    (RESULTS / f"{asked.results}.json").write_text(json.dumps(result, indent=2) + "\n")
                    print(subject.name, words, json.dumps(found), flush=True)


def _arguments() -> Any:
    names = [subject.name for subject in SUBJECTS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", default="compare", help="the result file's name")
    parser.add_argument("--subjects", type=lambda text: text.split(","), default=names)
    parser.add_argument("--versions", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--parts", type=lambda text: text.split(","), default=["together", "memory", "apart"])
    parser.add_argument("--repository", type=Path, help="where they have been built")
    parser.add_argument("--times", type=int, default=1, help="how often the questions are asked, for fast servers")
    return parser.parse_args()


def _measured(tried: Tried, parts: Sequence[str]) -> Iterator[tuple[str, Any]]:
    if {"together", "memory"} & {*parts}:
        with _serving(tried, set(CORES)) as server:
            if "together" in parts:
                yield "together", _loads(tried, server)
            if "memory" in parts and tried.subject.name == "demo":
                yield "memory", _memory(tried, server)
    if "apart" not in parts:
        return
    with _serving(tried, SERVER) as server:
        os.sched_setaffinity(0, CLIENT)
        try:
            yield "apart", _loads(tried, server)
        finally:
            os.sched_setaffinity(0, CORES)


def _loads(tried: Tried, server: str) -> Any:
    dataset = tried.subject.dataset()
    with Client(server) as client:
        return [_load(client, tried, dataset, *load) for load in tried.subject.loads]


def _load(client: Client, tried: Tried, dataset: Dataset, batch: int, in_flight: int) -> Any:
    """The shares of bench's throughput, with one version and with all."""
    subject, folder = tried.subject, tried.scratch / "asked"
    wanted = run.Wanted(subject.name, tried.versions, subject.task, tried.repository, folder, batch, in_flight)
    rounds, costs = [], []
    for _ in range(ROUNDS):
        told = {"bench": _bench(client, wanted, dataset)}
        start = time.process_time()
        told["one_version"] = _asked(client, replace(wanted, versions=tried.versions[:1]), dataset)
        costs.append((time.process_time() - start) / len(dataset.questions))
        if len(tried.versions) == 2:
            told["two_versions"] = _asked(client, wanted, dataset)
        rounds.append(told)
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    shares = {
        f"{name}_share": round(statistics.median(each[name] / each["bench"] for each in rounds), 3)
        for name in rounds[0]
        if name != "bench"
    }
    per_s = {f"{name}_per_s": round(value, 1) for name, value in medians.items()}
    sizes = {"questions": len(dataset.questions), "batch": batch, "in_flight": in_flight}
    spent = {"client_ms": round(1e3 * statistics.median(costs), 3), "decoding_ms": round(1e3 * _decoding(dataset), 3)}
    return {**sizes, **per_s, **shares, **spent, "rounds": rounds}


def _decoding(dataset: Dataset) -> float:
    """Seconds of processor time that reading and decoding a picture takes."""
    start = time.thread_time()
    for question in dataset.questions:
        question.read()
    return (time.thread_time() - start) / len(dataset.questions)


def _bench(client: Client, wanted: run.Wanted, dataset: Dataset) -> float:
    """Pictures a second of the first version, all pictures encoded before."""
    version = wanted.versions[0]
    expert = Expert.connect(client, wanted.model, version, task=wanted.task)
    requests = max(1, len(dataset.questions) // wanted.batch)
    loads = Loads((wanted.batch,), (wanted.in_flight,), requests=requests, warm_up=2 * wanted.in_flight)
    rows = measuring.measure({version: expert}, wanted, dataset, loads, lambda *_: None)
    return float(rows[version][0]["images_per_s"])


def _asked(client: Client, wanted: run.Wanted, dataset: Dataset) -> float:
    """Answers a second, from the first question to the last answer on disk."""
    with run.stores(wanted.folder, wanted.versions) as files:
        for store in files.values():
            store.finish()  # so that all is asked again
    start = time.perf_counter()
    run.ask(client, wanted, dataset, lambda *_: None)
    return len(wanted.versions) * len(dataset.questions) / (time.perf_counter() - start)


def _memory(tried: Tried, server: str) -> Mapping[str, float]:
    """The peak of the command that ``make compare`` types, and how long it takes."""
    drawn = tried.scratch / "drawn"
    shapes.write_dataset(drawn, MANY, SEED)
    where = ("--repository", tried.repository, "--data", drawn)
    chosen = ("--server", server, "--model", "demo", *_versions(tried.versions), *where)
    loads = ("--requests", 200, "--warm-up", 10, "--batch", 1, "--concurrency", 1)
    found = {}
    for count in (FEW, MANY):
        output = ("--limit", count, "--output", tried.scratch / f"of-{count}")
        start = time.perf_counter()
        peak = _run("clients", "compare", *chosen, *loads, *output)
        found[f"peak_mib_of_{count}"] = round(peak / 1024, 1)
        found[f"seconds_of_{count}"] = round(time.perf_counter() - start, 1)
    return found


def _build(subject: Subject, versions: Sequence[int], folder: Path) -> None:
    place = ("--repository", folder)
    _run(
        "converters", "build", subject.name, "--source", subject.source, *subject.options, *_versions(versions), *place
    )


@contextmanager
def _serving(tried: Tried, cores: set[int]) -> Iterator[str]:
    port = str(address.free_ports())
    served = ("--model", tried.subject.name, *_versions(tried.versions), "--repository", tried.repository)
    os.sched_setaffinity(0, cores)  # which the server inherits
    try:
        _run("serving", "up", *served, "--port", port, "--backend", "embedded", "--detach")
    finally:
        os.sched_setaffinity(0, CORES)
    try:
        yield f"{address.LOCAL}:{port}"
    finally:
        _run("serving", "down", "--port", port)


def _versions(numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(part for number in numbers for part in ("--version", str(number)))


def _run(*arguments: object) -> int:
    """Run a command of ours; gives its peak memory in KiB."""
    command = [sys.executable, "-m", *map(str, arguments)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 3):  # a verdict may be that none fits
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return used.ru_maxrss


if __name__ == "__main__":
    main()
