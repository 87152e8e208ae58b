"""Intel's neural-compressor, the peer of version 3, as a program: SOURCE TARGET CALIBRATION DARKEST BRIGHTEST.

Needs neural-compressor-tf (Apache-2.0) beside TensorFlow; ``ready`` makes a virtual environment with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_PACKAGES = ("neural-compressor-tf==3.10", "prettytable", "psutil", "py-cpuinfo", "wcwidth")


class Absent(Exception):
    """The peer cannot be had; the reason is a sentence."""


def ready(folder: Path) -> str:
    """A Python of its own that has it, and of everything else what runs us; Absent where it cannot be installed."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", *_PACKAGES]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"neural-compressor-tf was not installed: {done.stderr.strip().splitlines()[-1]}")
    return str(python)


def convert(python: str, source: Path, target: Path, calibration: Path, pixels: tuple[float, float]) -> None:
    """Quantize the graph of a SavedModel, whose batch norms should be folded, in another process; Absent on failure."""
    command = [python, __file__, str(source), str(target), str(calibration), *map(str, pixels)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise Absent(f"neural-compressor failed: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")


class _Rows:
    """Calibration data as it wants it."""

    batch_size = 1

    def __init__(self, feeds: list[Any]) -> None:
        self._feeds = feeds

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        return ((next(iter(feed.values())), 0) for feed in self._feeds)


def main(source: str, target: str, calibration: str, *pixels: str) -> None:
    """Weights by channel, everything else as it comes."""
    from neural_compressor.tensorflow import StaticQuantConfig, quantize_model
    from neural_compressor.tensorflow.utils.model import Model

    from converters import graphs
    from converters.calibration import locate
    from converters.picture_inputs import Way

    graph = graphs.read(Path(source))
    darkest, brightest = map(float, pixels)
    rows = list(locate(Path(calibration), 100, Way((darkest, brightest))).feeds(graph))
    with TemporaryDirectory() as scratch:
        frozen = Path(scratch, "frozen.pb")
        frozen.write_bytes(graph.graph_def.SerializeToString())
        model = Model(str(frozen))
        model.input_tensor_names = [name.partition(":")[0] for name in graph.input_tensors]
        model.output_tensor_names = [name.partition(":")[0] for name in graph.output_tensors]
        config = StaticQuantConfig(weight_granularity="per_channel")
        done = quantize_model(model, config, _Rows(rows), calib_iteration=len(rows))
        graphs.write(graph.with_graph(done.graph_def), Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
