"""What a version costs to make, and what it is worth: python benchmarks/convert.py [--model NAME]… [--pipeline]

Builds the versions of each model by the command line (wall time, peak memory), scores them against version 1 on
pictures that nothing was learnt from, then runs them in process, in turns, at batch 1 and 8, and writes
benchmarks/results/convert.json. Speeds are ratios to version 1 in the same run: above 1 is faster than the float
original. Beside our versions stand the Graph Transform Tool's own 8-bit lists, with oneDNN on and off, and what Intel's
neural-compressor makes of version 7. Models and peers that are not there are left out and named.

The file is written after every model, each with when and on what it was measured; what is not measured again stays.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # a program, not a package
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import compressor
import graphs
import overhead
import yaml

from clients import environment
from converters.judging.judge import judge_for
from model_config import manifest, models

VERSIONS = {
    1: "original",
    2: "quantized_weights",
    3: "quantized_nodes",
    7: "optimized",
    8: "gtt_quantized_weights",
    9: "gtt_quantized_nodes",
}
PEER = "neural_compressor"
BATCHES = (1, 8)
RESULT = Path(__file__).parent / "results" / "convert.json"

Rows = dict[str, dict[str, Any]]


def main() -> None:
    """Measure what was asked for, and otherwise every model that is there and the pipeline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", choices=list(graphs.SUBJECTS), help="only this; repeatable")
    parser.add_argument("--pipeline", action="store_true", help="what the pipeline itself costs, and the models named")
    parser.add_argument("--compressor", help="a Python with neural-compressor-tf; installed for the run when left out")
    parser.add_argument("--seconds", type=float, default=40.0, help="a model and batch, all its versions together")
    told = parser.parse_args()
    names = told.model or ([] if told.pipeline else list(graphs.SUBJECTS))
    with TemporaryDirectory() as folder:
        python = told.compressor or (_compressor(Path(folder, "compressor")) if names else "")
        for name in names:
            _model(graphs.SUBJECTS[name], Path(folder, name), python, told.seconds)
    if told.pipeline or not told.model:
        _keep("pipeline", _measured(overhead.measure()))
    print(RESULT.read_text())


def _compressor(folder: Path) -> str | compressor.Absent:
    try:
        return compressor.ready(folder)
    except compressor.Absent as reason:
        return reason


def _model(subject: graphs.Subject, scratch: Path, python: str | compressor.Absent, seconds: float) -> None:
    """Measure a model and write it down; one that is not there keeps what was measured where it was."""
    scratch.mkdir()
    source = subject.frozen(scratch)
    if not source.exists():
        print(f"{subject.name} is left out: {source} does not exist", file=sys.stderr)
        return
    rows = _measured(_measure(subject, source, scratch / "models", python, seconds))
    _keep("models", {**_known().get("models", {}), subject.name: rows})


def _measured(rows: Rows) -> Rows:
    """With when and on what."""
    return {"measured": environment.describe(), **rows}


def _known() -> dict[str, Any]:
    return dict(json.loads(RESULT.read_text())) if RESULT.is_file() else {}


def _keep(part: str, found: Rows) -> None:
    """Put a part of the results in the place of what was there."""
    draft = RESULT.with_suffix(".draft")
    draft.write_text(json.dumps({**_known(), part: found}, indent=2) + "\n")
    draft.replace(RESULT)


def _measure(
    subject: graphs.Subject, source: Path, repository: Path, python: str | compressor.Absent, seconds: float
) -> Rows:
    entry = {**subject.entry(source, repository.parent), "versions": VERSIONS}
    listed = repository.parent / "models.yaml"
    listed.write_text(yaml.safe_dump({"models": {subject.name: entry}}))
    rows: Rows = {recipe: _build(subject.name, listed, source, repository, n) for n, recipe in VERSIONS.items()}
    folders = {recipe: repository / subject.name / str(number) for number, recipe in VERSIONS.items()}
    folders[PEER] = repository.parent / PEER
    rows[PEER] = _peer(python, folders, entry["calibration"])
    there = {name: folder for name, folder in folders.items() if folder.exists()}
    for name, folder in there.items():
        rows[name]["size_of_version_1"] = round(_size(folder) / _size(folders["original"]), 4)
    if subject.labelled:
        _score(subject, entry, there, rows)
    for batch in BATCHES:
        _time(subject, batch, seconds, there, rows)
    _time(subject, 1, seconds, {name: there[name] for name in there if name != PEER}, rows, onednn=False)
    return rows


def _peer(python: str | compressor.Absent, folders: dict[str, Path], calibration: dict[str, Any]) -> dict[str, Any]:
    start = time.perf_counter()
    try:
        if isinstance(python, compressor.Absent):
            raise python
        darkest, brightest = calibration.get("pixels", (0, 255))
        given = folders["optimized"], folders[PEER], Path(calibration["path"])
        compressor.convert(python, *given, (darkest, brightest))
    except compressor.Absent as reason:
        return {"absent": str(reason)}
    return {"build_s": round(time.perf_counter() - start, 2)}


def _score(subject: graphs.Subject, entry: dict[str, Any], folders: dict[str, Path], rows: Rows) -> None:
    """Average precision of a detector, top-1 agreement with version 1 of a classifier."""
    model = models.parse(subject.name, entry, "benchmark")
    judge = judge_for(model, folders["original"], "serving_default")
    for name, folder in folders.items():
        score = judge.score(folder)
        rows[name]["accuracy"] = {
            "metric": score.metric,
            "value": round(score.value, 4),
            "on": judge.examples.replace(f"{graphs.MATERIAL}/", ""),
        }
        made = manifest.read(folder)
        if made and made.accuracy:
            rows[name]["accuracy"]["float_layers"] = len(made.accuracy.float_layers)


def _build(name: str, listed: Path, source: Path, repository: Path, number: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "converters", "build", name, "--models", str(listed)]
    command += ["--version", str(number), "--repository", str(repository)]
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status and number in (8, 9):
        return {"absent": "the tool's list does not make a servable that answers of it"}
    if status:
        raise SystemExit(f"version {number} of {name} was not built")
    return {
        "build_s": round(time.perf_counter() - start, 2),
        "peak_memory_of_source": round(usage.ru_maxrss * 1024 / source.stat().st_size, 1),
    }


def _time(
    subject: graphs.Subject, batch: int, seconds: float, folders: dict[str, Path], rows: Rows, *, onednn: bool = True
) -> None:
    """Add how fast each is; with oneDNN off also what no longer answers, as its ratio is then missing."""
    program = [sys.executable, str(Path(__file__).with_name("speed.py"))]
    told = [subject.name, str(batch), str(seconds), *map(str, folders.values())]
    switched = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": str(int(onednn)), "PYTHONPATH": os.getcwd()}
    done = subprocess.run([*program, *told], stdout=subprocess.PIPE, check=True, env=switched)
    medians = dict(zip(folders, json.loads(done.stdout).values()))
    key = f"batch_{batch}" if onednn else f"batch_{batch}_without_onednn"
    for name, milliseconds in medians.items():
        rows[name][f"{key}_median_ms"] = milliseconds and round(milliseconds, 2)
        rows[name][f"{key}_speed_of_version_1"] = milliseconds and round(medians["original"] / milliseconds, 3)


def _size(folder: Path) -> int:
    return (folder / "saved_model.pb").stat().st_size


if __name__ == "__main__":
    main()
