"""Does the embedded server keep its promises under trouble: python benchmarks/endurance.py --minutes 5

Full load from several processes while every two seconds the served version changes by a config reload, broken
versions appear beside good ones and vanish, and clients are killed in the middle of their requests. Writes
benchmarks/results/endurance.json: requests, those that failed by reason, resident size of the server and its threads by
name over time. A request fails when it gets anything but an answer of a version that was wanted.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import numpy as np

from clients import environment
from clients.client import Client, predict_request
from clients.errors import ClientError

RESULT = Path(__file__).parent / "results" / "endurance.json"
EMBEDDED = (sys.executable, "-m", "serving.embedded")
CLIENTS, CALLERS, MAX_THREADS = 2, 4, 24
SWAP_S, KILL_S, BREAK_S, SAMPLE_S = 2.0, 1.0, 3.0, 5.0
SETTLE_S = 60.0  # gRPC keeps a thread that has nothing to do for a while
_PAGE = 4096


def main() -> None:
    """Run for the time asked for, then judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    minutes = parser.parse_args().minutes
    with TemporaryDirectory() as name:
        scratch = Path(name)
        _make_models(scratch)
        with _server(scratch) as (server, pid):
            result = _endure(server, pid, scratch, 60 * minutes)
    result = {"environment": environment.describe(), "minutes": minutes, **result}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    sys.exit(0 if result["failed"] == {} else 1)


def _endure(server: str, pid: int, scratch: Path, seconds: float) -> dict[str, Any]:
    samples: list[dict[str, Any]] = []
    _trouble_once(server, scratch)  # what happens for the first time costs memory that stays
    before = _threads(pid)
    stop = threading.Event()
    swaps = itertools.count()
    troubles: tuple[tuple[float, Callable[[], None]], ...] = (
        (SWAP_S, lambda: _swap(server, scratch, next(swaps) % 2 + 1)),
        (BREAK_S, lambda: _break(scratch / "dense", scratch / "source")),
        (KILL_S, lambda: _kill_a_client(server)),
        (SAMPLE_S, lambda: samples.append(_sample(pid))),
    )
    with ThreadPoolExecutor(CLIENTS + len(troubles)) as pool:
        loads = [pool.submit(_client, server, seconds) for _ in range(CLIENTS)]
        makers = [pool.submit(_every, *trouble, stop) for trouble in troubles]
        counts = sum((each.result() for each in loads), collections.Counter())
        stop.set()
        for each in makers:
            each.result()
    time.sleep(SETTLE_S)
    early, late = samples[max(0, len(samples) // 6 - 1)]["resident_mb"], samples[-1]["resident_mb"]
    return {
        "answered": counts.pop("answered", 0),
        "failed": dict(counts),
        "swaps": next(swaps),
        "resident_mb_after_a_sixth": early,
        "resident_mb_at_the_end": late,
        "resident_growth": round(late / early - 1, 4),
        "threads_before": before,
        "threads_after": _threads(pid),
        "samples": samples,
    }


def _make_models(scratch: Path) -> None:
    program = "import sys, pathlib; from serving.conformance import models; models.make(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", program, str(scratch)], check=True, stderr=subprocess.DEVNULL)
    shutil.copytree(scratch / "dense" / "1", scratch / "source")


@contextmanager
def _server(scratch: Path) -> Iterator[tuple[str, int]]:
    from serving import address

    port = address.free_port()
    server = f"{address.LOCAL}:{port}"
    config = scratch / "models.config"
    config.write_text(_config(scratch, 1))
    flags = (
        f"--port={port}",
        f"--model_config_file={config}",
        "--max_num_load_retries=0",
        f"--grpc_max_threads={MAX_THREADS}",
    )
    with (scratch / "server.log").open("wb") as log, subprocess.Popen([*EMBEDDED, *flags], stderr=log) as child:
        _wait_for(server)
        yield server, child.pid
        child.terminate()
        print(f"the server ended with exit code {child.wait(30)}", file=sys.stderr)


def _wait_for(server: str) -> None:
    with Client(server) as client:
        while True:
            try:
                client.status("dense")
                return
            except ClientError:
                time.sleep(0.2)


def _config(scratch: Path, version: int) -> str:
    """dense in one version; the same folder in all its versions, broken ones among them, under another name."""
    one = f"specific {{ versions: {version} }}"
    models = (("dense", one), ("growing", "all { }"))
    return (
        "model_config_list {"
        + "".join(
            f' config {{ name: "{name}" base_path: "{scratch / "dense"}" model_platform: "tensorflow" '
            f"model_version_policy {{ {policy} }} }}"
            for name, policy in models
        )
        + " }"
    )


def _swap(server: str, scratch: Path, version: int) -> None:
    from google.protobuf import text_format
    from tensorflow_serving.apis import model_management_pb2

    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(_config(scratch, version), request.config)
    with grpc.insecure_channel(server) as channel:
        reload = channel.unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
        reload(request.SerializeToString(), timeout=60)


def _break(base: Path, source: Path) -> None:
    """Three new versions: garbage, half copied, and good; those of the time before go."""
    old = [int(each.name) for each in base.iterdir() if each.name.isdigit() and int(each.name) > 2]
    first = max(old, default=2) + 1
    for number in (first, first + 1):
        (base / str(number)).mkdir()
    (base / str(first) / "saved_model.pb").write_bytes(b"\xff garbage")
    half = (source / "saved_model.pb").read_bytes()
    (base / str(first + 1) / "saved_model.pb").write_bytes(half[: len(half) // 2])
    shutil.copytree(source, base / "draft")
    (base / "draft").rename(base / str(first + 2))
    for number in old:
        shutil.rmtree(base / str(number))


def _kill_a_client(server: str) -> None:
    with _client_process(server, 60) as child:
        time.sleep(random.uniform(0.5, 1.5))
        child.send_signal(signal.SIGKILL)


def _trouble_once(server: str, scratch: Path) -> None:
    for version in (2, 1):
        _swap(server, scratch, version)
        time.sleep(SWAP_S)
    _client(server, 5, 2 * MAX_THREADS)  # as many threads as there will ever be


def _every(seconds: float, action: Callable[[], None], stop: threading.Event) -> None:
    while not stop.wait(seconds):
        action()


def _client(server: str, seconds: float, callers: int = CALLERS) -> collections.Counter[str]:
    with _client_process(server, seconds, callers) as child:
        told, _ = child.communicate()
    return collections.Counter(json.loads(told))


def _client_process(server: str, seconds: float, callers: int = CALLERS) -> subprocess.Popen[str]:
    argv = [sys.executable, __file__, "--as-client", server, str(seconds), str(callers)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def _ask(server: str, seconds: str, callers: str) -> None:
    """Ask from several threads until time is up, and print how often what came back."""
    counts: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + float(seconds)

    def caller(_: int) -> None:
        x = np.ones((1, 3), np.float32)
        while time.monotonic() < end:
            try:
                answer = client.ask(predict_request("dense", {"x": x}))
            except ClientError as error:
                counts[f"{type(error).__name__}: {error}"] += 1
                continue
            # (1 + 3 + 5) and the version's bias tell which one answered
            right = answer.outputs["y"][0, 0] == {1: 9.5, 2: 10.0}[answer.version]
            counts["answered" if right else "wrong answer"] += 1

    with Client(server, timeout_s=20) as client, ThreadPoolExecutor(int(callers)) as pool:
        list(pool.map(caller, range(int(callers))))
    print(json.dumps(counts))


def _sample(pid: int) -> dict[str, Any]:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return {"resident_mb": round(pages * _PAGE / 2**20, 1), "threads": _threads(pid)}


def _threads(pid: int) -> dict[str, int]:
    """How many there are of each name, without the numbers in names."""
    names: collections.Counter[str] = collections.Counter()
    for each in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            names[(each / "comm").read_text().strip(" 0123456789\n")] += 1
    return dict(sorted(names.items()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-client"]:
        _ask(*sys.argv[2:])
    else:
        main()
