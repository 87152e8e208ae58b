"""What a version costs to make, and what it is worth: python benchmarks/convert.py

Builds the versions of each model by the command line (wall time, peak memory), scores them against version 1 on
pictures that nothing was learnt from, then runs them in process, in turns, at batch 1 and 8, and writes
benchmarks/results/convert.json. Speeds are ratios to version 1 in the same run: above 1 is faster than the float
original. Models that are not there are left out and named.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # a program, not a package
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import graphs
import yaml

from clients import environment
from converters.judging.judge import judge_for
from model_config import manifest, models

VERSIONS = (1, 2, 3, 7)
BATCHES = (1, 8)
SECONDS = 20.0  # a model and batch, all its versions together
RESULT = Path(__file__).parent / "results" / "convert.json"


def main() -> None:
    """Measure every model that is there."""
    measured, absent = {}, []
    for subject in graphs.SUBJECTS.values():
        with TemporaryDirectory() as folder:
            source = subject.frozen(Path(folder))
            if source.exists():
                measured[subject.name] = _measure(subject, source, Path(folder, "models"))
            else:
                absent.append(subject.name)
    result = {"environment": environment.describe(), "models": measured, "absent": absent}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _measure(subject: graphs.Subject, source: Path, repository: Path) -> dict[str, Any]:
    entry = subject.entry(source, repository.parent)
    listed = repository.parent / "models.yaml"
    listed.write_text(yaml.safe_dump({"models": {subject.name: entry}}))
    rows: dict[int, dict[str, Any]] = {n: _build(subject.name, listed, source, repository, n) for n in VERSIONS}
    folders = {number: repository / subject.name / str(number) for number in VERSIONS}
    for number, row in rows.items():
        row["size_of_version_1"] = round(_size(folders[number]) / _size(folders[1]), 4)
    if subject.labelled:
        _score(subject, entry, folders, rows)
    for batch in BATCHES:
        milliseconds = _run(folders, subject.feed(batch))
        for number, row in rows.items():
            row[f"batch_{batch}_median_ms"] = round(milliseconds[number], 2)
            row[f"batch_{batch}_speed_of_version_1"] = round(milliseconds[1] / milliseconds[number], 3)
    return {str(number): row for number, row in rows.items()}


def _score(
    subject: graphs.Subject, entry: dict[str, Any], folders: dict[int, Path], rows: dict[int, dict[str, Any]]
) -> None:
    """Average precision of a detector, top-1 agreement with version 1 of a classifier."""
    model = models.parse(subject.name, {**entry, "data": subject.labelled}, "benchmark")
    judge = judge_for(model, folders[1], "serving_default")
    for number, row in rows.items():
        score = judge.score(folders[number])
        row["accuracy"] = {
            "metric": score.metric,
            "value": round(score.value, 4),
            "on": judge.examples.replace(f"{graphs.MATERIAL}/", ""),
        }
        made = manifest.read(folders[number])
        if made and made.accuracy:
            row["accuracy"]["float_layers"] = len(made.accuracy.float_layers)


def _build(name: str, listed: Path, source: Path, repository: Path, number: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "converters", "build", name, "--models", str(listed)]
    command += ["--version", str(number), "--repository", str(repository)]
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"version {number} of {name} was not built")
    return {
        "build_s": round(time.perf_counter() - start, 2),
        "peak_memory_of_source": round(usage.ru_maxrss * 1024 / source.stat().st_size, 1),
    }


def _run(folders: dict[int, Path], batch: Any) -> dict[int, float]:
    """Median milliseconds a call by version, versions taking turns call by call."""
    calls = {}
    for number, folder in folders.items():
        session, fed, fetched = graphs.session(folder)
        calls[number] = session.make_callable(fetched, feed_list=[fed])
        for _ in range(3):
            calls[number](batch)
    taken: dict[int, list[float]] = {number: [] for number in calls}
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        for number, call in calls.items():
            start = time.perf_counter()
            call(batch)
            taken[number].append(1e3 * (time.perf_counter() - start))
    return {number: statistics.median(each) for number, each in taken.items()}


def _size(folder: Path) -> int:
    return (folder / "saved_model.pb").stat().st_size


if __name__ == "__main__":
    main()
