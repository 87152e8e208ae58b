"""What the load generator can drive, and how well it reads the clock, beside h2load: python benchmarks/loadgen.py

Both ask the same server, nghttpd, which answers every request at once with one small PredictResponse, with the same
body over the same number of connections and requests in flight, in turns: on one processor, while the server has
another, to see how much they can drive; wherever the system puts them, to see what they read off the clock. Neither
tool nor server is ours (Debian: nghttp2-client, nghttp2-server). An open loop has one connection, as several of
h2load's ask at the same moments and wait for each other, while ours ask in turn; h2load runs twice a round, before and
after us, as what two of its own runs differ by is the least that can be told. Writes benchmarks/results/loadgen.json:
medians over the rounds, of requests a second and of p50 and p99 in microseconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from clients import environment
from clients.loadgen import frames, payload, percentiles
from clients.loadgen.measure import Session, Target
from clients.loadgen.measured import Measured, latencies_ns
from clients.loadgen.plan import Point, Rules
from clients.wire import serving_pb2 as wire
from clients.wire import tensors
from serving import address

ROUNDS, SECONDS = 3, 3.0
OPEN_ROUNDS, OPEN_SECONDS = 5, 8.0  # so that every run has more requests than a 99th percentile needs
WARM_UP_S = 1.0
CLOSED = ((1, 1), (4, 1), (8, 1), (1, 8), (4, 8), (8, 32))  # connections, requests in flight on each
OPEN = ((1, 100), (1, 400))  # connections, requests a second of all together
RESULT = Path(__file__).parent / "results" / "loadgen.json"

_PATH = "tensorflow.serving.PredictionService/Predict"
_HEADERS = ("-H", "content-type: application/grpc", "-H", "te: trailers")
_FLOATS = 256  # of a request

Row = dict[str, float]


def main() -> None:
    """Measure both tools in turns, so that a slow moment of the machine hits both alike."""
    server_core, client_core = cores = _cores()
    requests = payload.requests("m", [{"x": np.arange(_FLOATS, dtype=np.float32)}], 1)
    asked = payload.of_requests(requests)
    with TemporaryDirectory() as folder, _server(Path(folder), server_core) as server:
        body = Path(folder, "body")
        body.write_bytes(frames.framed(asked.messages[0]))
        os.sched_setaffinity(0, {client_core})
        closed = [_closed(server, asked, body, *shape) for shape in CLOSED]
        os.sched_setaffinity(0, set(cores))
        light = [_open(server, asked, body, *shape) for shape in OPEN]
    result = {
        "environment": {**environment.describe(), "h2load": _version("h2load"), "nghttpd": _version("nghttpd")},
        "rounds": {"closed": ROUNDS, "open": OPEN_ROUNDS},
        "seconds": {"closed": SECONDS, "open": OPEN_SECONDS},
        "closed": closed,
        "open": light,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _closed(server: str, asked: payload.Payload, body: Path, connections: int, streams: int) -> dict[str, Any]:
    timed = ("-D", f"{SECONDS * 1e3:.0f}ms", "--warm-up-time", f"{WARM_UP_S * 1e3:.0f}ms")
    theirs, ours = [], []
    for _ in range(ROUNDS):
        said, _ = _h2load(server, body, "-c", connections, "-m", streams, *timed)
        theirs.append(float(re.search(r"finished in .*?, ([\d.]+) req/s", said)[1]))  # type: ignore[index]
        measured = _measure(server, asked, Point(1, in_flight=connections * streams), connections)
        ours.append(len(measured.done_ns) / measured.seconds)
    rates = {"h2load_per_s": statistics.median(theirs), "ours_per_s": statistics.median(ours)}
    shape = {"connections": connections, "in_flight": connections * streams}
    return {
        **shape,
        **{k: round(v) for k, v in rates.items()},
        "share": round(rates["ours_per_s"] / rates["h2load_per_s"], 3),
    }


def _open(server: str, asked: payload.Payload, body: Path, connections: int, rate: int) -> dict[str, Any]:
    rounds = []
    for _ in range(OPEN_ROUNDS):
        before = _theirs(server, body, connections, rate)
        due, sent = _ours(server, asked, connections, rate)
        rounds.append((before, _theirs(server, body, connections, rate), due, sent))
    found: dict[str, Any] = {"connections": connections, "rate": rate, "requests_a_run": round(rate * OPEN_SECONDS)}
    for name in ("p50_us", "p99_us"):
        found[name] = _compared(*([each[name] for each in runs] for runs in zip(*rounds)))
    return found


def _theirs(server: str, body: Path, connections: int, rate: int) -> Row:
    seconds = f"{(WARM_UP_S + OPEN_SECONDS) * 1e3:.0f}ms"
    _, taken = _h2load(server, body, "-c", connections, "-m", 100, "-D", seconds, "--rps", f"{rate / connections:g}")
    return _percentiles_us(taken[round(rate * WARM_UP_S) :] * 1000)


def _ours(server: str, asked: payload.Payload, connections: int, rate: int) -> tuple[Row, Row]:
    """Counted from when a request was due, as we report it, and from when it was sent, as h2load does."""
    good = _measure(server, asked, Point(1, rate=rate, arrival="constant"), connections).good
    return _percentiles_us(latencies_ns(good)), _percentiles_us(good[:, 2] - good[:, 1])


def _compared(before: list[float], after: list[float], ours: list[float], sent: list[float]) -> Row:
    """Medians over the rounds, also of how far two runs of h2load in one round are apart."""
    theirs, own = statistics.median([*before, *after]), statistics.median(ours)
    between = statistics.median(abs(one - other) for one, other in zip(before, after))
    found = {"h2load": theirs, "ours": own, "ours_from_sent": statistics.median(sent)}
    return {k: round(v, 1) for k, v in {**found, "difference": own - theirs, "between_h2load_runs": between}.items()}


def _measure(server: str, asked: payload.Payload, point: Point, connections: int) -> Measured:
    seconds, warm_up = (OPEN_SECONDS, round(point.rate * WARM_UP_S)) if point.rate else (SECONDS, 1000)
    rules = Rules(warm_up=warm_up, limit_s=seconds, window_s=2 * seconds, workers=1, connections=connections)
    with Session(Target(server), asked, point, rules) as session:
        session.warm_up()
        measured = session.run()
    if len(measured.good) != len(measured.samples):
        raise SystemExit(f"requests failed: {measured.reports}")
    return measured


def _h2load(server: str, body: Path, *arguments: object) -> tuple[str, Any]:
    """What it prints, and the latency of each request in microseconds."""
    log = body.with_name("log")
    log.unlink(missing_ok=True)
    command = ["h2load", "-t", "1", "-d", str(body), *_HEADERS, *map(str, arguments)]
    if "--rps" in command:
        command += ["--log-file", str(log)]
    done = subprocess.run([*command, f"http://{server}/{_PATH}"], capture_output=True, text=True, check=True)
    if not re.search(r" 0 failed, 0 errored", done.stdout):
        raise SystemExit(f"h2load's requests failed:\n{done.stdout}")
    return done.stdout, np.loadtxt(log, usecols=2, ndmin=1) if log.exists() else np.empty(0)


def _percentiles_us(taken_ns: Any) -> Row:
    return {name: percentiles.percentile(taken_ns, percent) / 1e3 for name, percent in (("p50_us", 50), ("p99_us", 99))}


@contextmanager
def _server(folder: Path, core: int) -> Iterator[str]:
    """nghttpd over one file, which is a gRPC answer; its trailer is gRPC's OK."""
    answer = wire.PredictResponse()
    tensors.encode(np.arange(10, dtype=np.float32), answer.outputs["y"])
    answer.model_spec.name, answer.model_spec.signature_name = "m", "serving_default"
    answer.model_spec.version.value = 1
    file = folder / "files" / _PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(frames.framed(answer.SerializeToString()))
    port = address.free_port()
    command = ["nghttpd", "--no-tls", "--htdocs", str(folder / "files"), "--trailer", "grpc-status: 0"]
    command += ["--max-concurrent-streams", "1000", str(port)]
    child = subprocess.Popen(["taskset", "--cpu-list", str(core), *command], stdout=subprocess.DEVNULL)
    time.sleep(1)
    try:
        yield f"{address.LOCAL}:{port}"
    finally:
        child.terminate()
        child.wait()


def _cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    absent = [tool for tool in ("h2load", "nghttpd", "taskset") if not shutil.which(tool)]
    if absent or len(cores) < 2:
        raise SystemExit(f"this needs two processors and {', '.join(absent) or 'has only one'}; see the first lines")
    return cores[0], cores[1]


def _version(tool: str) -> str:
    return subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
