"""Locust's distributed mode with our client: a master and two workers on this machine."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving import address

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("locust"), reason="locust is an extra: pip install '.[locust]'"),
]

FILE = Path(__file__).parents[1] / "locustfile.py"


def locust(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "locust", "--locustfile", FILE, *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_workers_ask_and_the_master_adds_up(server, tmp_path):
    port = address.free_port()
    run = ("--headless", "--users", 4, "--spawn-rate", 4, "--run-time", "5s", "--json", "--loglevel", "INFO")
    load = ("--host", server, "--model", "tiny", "--served", 2, "--size", "48x64")
    master = locust(tmp_path, "--master", "--expect-workers", 2, "--master-bind-port", port, *run, *load)
    workers = [locust(tmp_path, "--worker", "--master-port", port) for _ in range(2)]
    output, errors = master.communicate(timeout=120)
    for worker in workers:
        worker.communicate(timeout=60)

    assert master.returncode == 0, errors
    (row,) = json.loads(output)
    assert row["name"] == "tiny 2, batch 1"
    assert row["num_requests"] > 0
    assert row["num_failures"] == 0
    assert set(re.findall(r"\(index (\d)\)", errors)) == {"0", "1"}, errors
