"""How long a client takes to start, and what it holds in memory: python benchmarks/startup.py

Writes benchmarks/results/startup.json: wall time of whole processes in seconds, fastest, median and slowest of
the runs, beside that of a Python that does nothing, as machines differ; and of a process that imports the whole client,
with numpy and gRPC, what the import took and the largest size the process had.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clients import environment

RUNS = 20
RESULT = Path(__file__).parent / "results" / "startup.json"
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import clients'": ["-c", "import clients"],
    "python -c 'import clients.client'": ["-c", "import clients.client"],
    "python -m clients --help": ["-m", "clients", "--help"],
    "python -m clients status (no server)": ["-m", "clients", "status", "--server", "127.0.0.1:1", "--model", "x"],
}
# not getrusage, whose largest size is that of the process it was started from, where that was larger
_IMPORT = """
import time
start = time.perf_counter()
import clients.client
print(time.perf_counter() - start)
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""


def main() -> None:
    """Measure in turn, so that a slow moment of the machine hits every command alike."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            seconds[name].append(_run(arguments))
    result = {"environment": environment.describe(), "runs": RUNS, "seconds": {n: _row(s) for n, s in seconds.items()}}
    took, kilobytes = zip(*(_imported() for _ in range(RUNS)))
    result["import clients.client"] = {"seconds": _row(took), "peak_mb": round(max(kilobytes) / 1024, 1)}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _run(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    return time.perf_counter() - start


def _imported() -> tuple[float, float]:
    """Seconds and kilobytes."""
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return seconds, kilobytes


def _row(seconds: Sequence[float]) -> dict[str, float]:
    return {name: round(of(seconds), 3) for name, of in (("min", min), ("median", statistics.median), ("max", max))}


if __name__ == "__main__":
    main()
