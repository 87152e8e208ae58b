"""The pages that are made of results say what was measured, and nothing else."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def program(monkeypatch):
    """A program of the benchmarks, by name."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module


def test_the_page_on_versions_is_what_the_program_makes_of_the_results(program):
    made = program("versions_page")

    assert made.PAGE.read_text() == made.page(json.loads(made.RESULT.read_text()))


def test_what_no_longer_answers_is_said_and_what_was_not_measured_is_left_open(program):
    machine = {"processor": "one", "cores": "2", "memory": "3 GiB", "time": "2026-11-20T00:00:00"}
    rows = {
        "measured": machine,
        "original": {"build_s": 2.0, "batch_1_speed_of_version_1": 1.0},
        "quantized_nodes": {"build_s": 3.0, "batch_1_without_onednn_speed_of_version_1": None},
        "neural_compressor": {"absent": "it was not installed"},
    }
    text = program("versions_page").page({"models": {"net": rows}})

    assert "| 3 `quantized_nodes` | - | - | - | does not run | - | 3.00 |" in text
    assert "neural-compressor on 7: it was not installed" in text


def test_the_page_on_tensorrt_is_what_the_program_makes_of_the_results(program):
    made = program("trt_page")

    assert made.PAGE.read_text(encoding="utf-8") == made.page(made.found())


def test_the_page_on_goals_is_what_the_program_makes_of_the_results(program):
    made = program("goals_page")

    assert made.PAGE.read_text(encoding="utf-8") == made.page(made.found())


def test_the_worst_of_several_figures_is_held_against_a_goal(program):
    made = program("goals_page")
    results = made.found()
    results["loadgen"]["closed"][0]["share"] = 0.59
    results["endurance"]["failed"] = {"UNAVAILABLE": 2}
    results["endurance"]["threads_after"] = {**results["endurance"]["threads_before"], "event_engine": 9, "call": 31}
    results["endurance"]["threads_before"]["call"] = 28
    results["serve"]["detector"]["ms_of_a_request_1_in_flight"] = {"bare_call": 23.456}
    text = made.page({name: each for name, each in results.items() if name != "client"})

    assert "h2load's requests/s, at worst | at least 0.6 | 0.59 | missed |" in text
    assert "| requests that failed | at most 0 | 2 | missed |" in text
    assert "| threads left behind, gRPC's own pool aside | at most 0 | 3 | missed |" in text
    assert "| bare call | 23.46 |" in text
    assert "| 100 boxes decoded, ms | at most 0.2 | not measured |  |" in text


def test_a_goal_is_met_missed_or_not_measured(program):
    made = program("trt_page")
    result = made.found()["trt-ssd"]
    result["measured"]["trt_fp16"]["8"]["times_native_TF32"] = 24.9
    text = made.page({"trt-ssd": result})

    assert "| COCO SSD, batch 8, FP16, times native TF32 | at least 25 | 24.9 | missed |" in text
    assert "| ResNet-50, batch 128, INT8, times native TF32 | at least 6.5 | not measured |  |" in text
    assert "| COCO SSD, version 4, share of the arithmetic inside engines | at least 0.95 | 1 | met |" in text
