"""The page on what versions cost says what was measured, and nothing else."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "versions_page.py"


def program():
    spec = importlib.util.spec_from_file_location("versions_page", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_program_makes_of_the_results():
    made = program()

    assert made.PAGE.read_text() == made.page(json.loads(made.RESULT.read_text()))


def test_what_no_longer_answers_is_said_and_what_was_not_measured_is_left_open():
    rows = {
        "original": {"build_s": 2.0, "batch_1_speed_of_version_1": 1.0},
        "quantized_nodes": {"build_s": 3.0, "batch_1_without_onednn_speed_of_version_1": None},
        "neural_compressor": {"absent": "it was not installed"},
    }
    machine = {"processor": "one", "cores": "2", "memory": "3 GiB", "time": "2026-11-20T00:00:00"}
    text = program().page({"environment": machine, "models": {"net": rows}})

    assert "| 3 `quantized_nodes` | - | - | - | does not run | - | 3.00 |" in text
    assert "neural-compressor on 7: it was not installed" in text
