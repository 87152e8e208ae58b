"""The versions of benchmarks/trt.py over gRPC: python benchmarks/trt_serving.py resnet50|retinanet|ssd [--versions 4,5]

Serves them by the embedded server and asks from client processes, a few requests in flight, each version and batch size
by itself; adds images a second, and their share of what the same version gives in process, to the model's result file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from trt import RESULTS, SUBJECTS

from model_config import models
from serving import address

_LIMIT_S: Final = 10  # for a version and batch size, if it has not settled before
_KEPT: Final = ("images_per_s", "p50_ms", "p90_ms", "p99_ms", "requests", "concurrency", "verdict", "doubts")


def main() -> None:
    """Serve, ask, add to the file."""
    asked = _arguments()
    path = RESULTS / f"{asked.results or f'trt-{asked.model}'}.json"
    result = json.loads(path.read_text())
    port = address.free_ports()
    up = _command("serving", "up", "--model", asked.model, *_versions(asked.versions), "--repository", asked.repository)
    start = time.perf_counter()
    subprocess.run([*up, "--backend", "embedded", "--port", str(port), "--detach"], check=True)
    print(f"served after {time.perf_counter() - start:.1f} s", file=sys.stderr)
    try:
        for number in asked.versions:
            name = models.DEFAULT_VERSIONS[number] if number != 1 else "native TF32"
            for batch in SUBJECTS[asked.model].batches:
                if batch <= asked.largest:
                    row = _asked(asked, port, number, batch)
                    _against(row, result["measured"].get(name, {}).get(str(batch)))
                    result.setdefault("served", {}).setdefault(name, {})[str(batch)] = row
                    path.write_text(json.dumps(result, indent=2) + "\n")
                    print(f"{name:<14} batch {batch:>3}: {row}", file=sys.stderr)
    finally:
        subprocess.run(_command("serving", "down", "--port", str(port)), check=True)


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=SUBJECTS)
    parser.add_argument("--versions", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4, 5])
    parser.add_argument("--work", default=".cache/benchmarks", help="as trt.py was told")
    parser.add_argument("--results", help="the result file's name, if another")
    parser.add_argument("--largest", type=int, default=32, help="batch size that is asked")
    parser.add_argument("--in-flight", type=int, default=4, help="requests")
    asked = parser.parse_args()
    asked.repository = str(Path(asked.work, asked.model, "models"))
    return asked


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def _versions(numbers: Sequence[int]) -> list[str]:
    return [word for number in numbers for word in ("--version", str(number))]


def _asked(asked: Any, port: int, number: int, batch: int) -> dict[str, Any]:
    """One version and batch size under load."""
    subject = SUBJECTS[asked.model]
    size = ("--size", "x".join(map(str, subject.shape[:2]))) if subject.any_size else ()
    load = ("--batch", str(batch), "--concurrency", str(asked.in_flight), "--limit", str(_LIMIT_S))
    ask = ("--server", f"{address.LOCAL}:{port}", "--model", asked.model, "--version", str(number), "--warm-up", "10")
    told = _command("clients", "bench", *ask, *load, *size, "--percentile", "90", "--json")
    done = subprocess.run(told, stdout=subprocess.PIPE, text=True, check=True)
    (row,) = json.loads(done.stdout)["rows"]
    return {key: row[key] for key in _KEPT}


def _against(row: dict[str, Any], bare: dict[str, Any] | None) -> None:
    if bare:
        row["share_of_in_process"] = round(row["images_per_s"] / bare["images_per_second"], 3)


if __name__ == "__main__":
    main()
