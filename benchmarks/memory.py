"""How much memory a conversion takes: python benchmarks/memory.py [--megabytes 500] [--version N]...

Makes a frozen graph of that size with random weights, builds its versions by the command line, and writes the peak
memory of each process, as a multiple of the graph's size, to benchmarks/results/memory.json: a row a version, with when
and where it was measured; the rows of other versions stay.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from clients import environment

RESULT = Path(__file__).parent / "results" / "memory.json"
CHANNELS, SIDE = 512, 8
PAUSE = 0.02  # seconds between two looks at a process that may end at any moment


def main() -> None:
    """Measure every version that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--version", type=int, action="append", help="may be repeated; 1, 2, 3 and 7 when left out")
    told = parser.parse_args()
    with TemporaryDirectory() as folder:
        graph = Path(folder, "large.pb")
        # made elsewhere, as what made it would stand in memory beside what is measured
        subprocess.run(
            [sys.executable, "-c", f"import memory; memory.write({str(graph)!r}, {told.megabytes})"],
            check=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        for number in told.version or (1, 2, 3, 7):
            measured = {"megabytes": told.megabytes, **_build(graph, number, Path(folder))}
            _note(number, {**measured, "environment": environment.describe()})
            print(json.dumps({number: measured}), flush=True)


def _note(number: int, row: dict[str, Any]) -> None:
    """Write a version's row in the place of its former one."""
    rows = json.loads(RESULT.read_text())["versions"] if RESULT.exists() else {}
    rows = dict(sorted({**rows, str(number): row}.items()))
    RESULT.write_text(json.dumps({"versions": rows}, indent=2) + "\n")


def write(path: str, megabytes: int) -> None:
    """A frozen graph: convolutions with batch norms one after the other, and a product at the end."""
    import numpy as np
    import tensorflow as tf

    draw = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, SIDE, SIDE, CHANNELS], "x")
        for _ in range(round(megabytes * 1e6 / (4 * 9 * CHANNELS**2))):
            weights = draw.normal(0, 0.02, (3, 3, CHANNELS, CHANNELS)).astype(np.float32)
            mean, offset = draw.normal(0, 0.1, (2, CHANNELS)).astype(np.float32)
            scale, variance = draw.uniform(0.5, 1.5, (2, CHANNELS)).astype(np.float32)
            maps = tf.nn.conv2d(x, weights, 1, "SAME")
            x = tf.nn.relu(tf.compat.v1.nn.fused_batch_norm(maps, scale, offset, mean, variance, is_training=False)[0])
        tf.matmul(tf.reduce_mean(x, [1, 2]), draw.normal(0, 0.1, (CHANNELS, 10)).astype(np.float32), name="y")
    Path(path).write_bytes(graph.as_graph_def().SerializeToString())


def _build(graph: Path, number: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "converters", "build", "large", "--source", str(graph)]
    command += ["--version", str(number), "--repository", str(folder / "models"), "--calibration", str(_data(folder))]
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks = {}
    while child.poll() is None:
        peaks.update({pid: peak for pid in _family(child.pid) if (peak := _peak(pid))})
        time.sleep(PAUSE)
    if child.returncode:
        raise SystemExit(f"version {number} was not built")
    size = graph.stat().st_size
    own, *others = (round(peaks[pid] / size, 2) for pid in sorted(peaks))
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "peak_of_size": own,
        "peak_of_size_others": [peak for peak in others if peak],  # other programs, such as uname, have next to none
    }


def _data(folder: Path) -> Path:
    """What calibrates version 3."""
    import numpy as np

    path = folder / "calibration.npy"
    np.save(path, np.random.default_rng(1).normal(0, 1, (4, SIDE, SIDE, CHANNELS)).astype(np.float32))
    return path


def _family(pid: int) -> Iterator[int]:
    """A process and those that it started."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for each in children:
        yield from _family(int(each))


def _peak(pid: int) -> int:
    """The most bytes that a process has had in memory; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
