"""The page of what was reported and what we measure: made of the results, and saying what is not there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def seeds(root, *options):
    return subprocess.run(
        [sys.executable, root / "benchmarks" / "seeds.py", *options], capture_output=True, text=True, timeout=60
    )


def copy(tmp_path):
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    return tmp_path


def test_the_page_is_what_the_results_say():
    done = seeds(ROOT, "--check")

    assert done.returncode == 0, done.stderr


def test_a_result_that_changes_makes_the_page_old(tmp_path):
    root = copy(tmp_path)
    assert seeds(root).returncode == 0
    path = root / "benchmarks" / "results" / "convert.json"
    result = json.loads(path.read_text())
    result["models"]["ssd_mobilenet_v1_coco"]["quantized_nodes"]["batch_8_speed_of_version_1"] = 7.654
    path.write_text(json.dumps(result))

    assert "write it with" in seeds(root, "--check").stderr
    seeds(root)
    assert "version 3, batch 8: 7.654 times" in (root / "docs" / "seeds.md").read_text()


def test_what_was_not_measured_says_so(tmp_path):
    root = copy(tmp_path)
    shutil.rmtree(root / "benchmarks" / "results")
    assert seeds(root).returncode == 0
    rows = [line for line in (root / "docs" / "seeds.md").read_text().splitlines() if line.startswith("| ")][1:]

    assert rows
    assert all("not measured" in row.rpartition(" | ")[2] for row in rows)
