"""What the embedded server adds to the model: python benchmarks/serve.py

Drives it with h2load (Debian's nghttp2-client): a model that computes next to nothing, with 8 callers in flight over
2 connections and with a single one, and the COCO detector where it is. The bare signature call, in a loop in a
process of its own, takes turns with the server, so that a slow moment of the machine hits both; the first calls of a
turn, which find what the other left in the caches, count on neither side. Writes benchmarks/results/serve.json: every
round's numbers, and the medians that are derived from them.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # a program, not a package

import graphs
import numpy as np

from clients import environment
from clients.client import Client, predict_request
from model_config.errors import ServeError
from serving.conformance import models, target

RESULT = Path(__file__).parent / "results" / "serve.json"
ROUNDS, DETECTOR_ROUNDS = 7, 20  # many short turns, as the machine's speed wanders within seconds
TINY_REQUESTS, DETECTOR_REQUESTS = 6000, 40
_FIRST = 5  # calls of a turn that do not count
EMBEDDED = (sys.executable, "-m", "serving.embedded")
_METHOD = "tensorflow.serving.PredictionService/Predict"
_METRICS = "/monitoring/prometheus/metrics"
_HANDLED = ("request_latency", "runtime_latency")


def main() -> None:
    """Measure what is there and write the result."""
    result: dict[str, Any] = {"environment": {**environment.describe(), "h2load": _h2load_version()}}
    with TemporaryDirectory() as name:
        scratch = Path(name)
        models.save_dense(scratch / "tiny" / "1", [1.0, -1.0])
        result["tiny"] = _tiny(scratch)
        detector = graphs.SUBJECTS["ssd_mobilenet_v1_coco"]
        if detector.frozen(scratch).exists():
            _publish(detector, scratch)
            result["detector"] = _detector(scratch, detector.feed(1))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def _tiny(scratch: Path) -> dict[str, Any]:
    rounds = []
    array = _saved(np.ones((1, 3), np.float32), scratch)
    with _serving("tiny", scratch) as found, _bare(scratch / "tiny" / "1", array) as bare:
        body = _body("tiny", found, array)
        _drive(found.server, body, 1000, 2, 4)
        for _ in range(ROUNDS):
            eight, one = _drive(found.server, body, TINY_REQUESTS, 2, 4), _drive(found.server, body, 2000, 1, 1)
            rounds.append({"bare_p50_us": bare(2000)[0], "8_callers": eight, "1_caller": one})
        outside = _outside_tensorflow(found)
    added = [each["1_caller"]["p50_us"] - each["bare_p50_us"] for each in rounds]
    return {
        "requests_per_s_8_callers": round(statistics.median(each["8_callers"]["requests_per_s"] for each in rounds)),
        "added_to_the_bare_call_p50_ms_1_caller": round(statistics.median(added) / 1e3, 3),
        **outside,
        "rounds": rounds,
    }


def _detector(scratch: Path, picture: np.ndarray[Any, Any]) -> dict[str, Any]:
    rounds = []
    array = _saved(picture, scratch)
    with _serving("ssd", scratch) as found, _bare(scratch / "ssd" / "1", array) as bare:
        body = _body("ssd", found, array)
        _drive(found.server, body, 10, 1, 2)
        for _ in range(DETECTOR_ROUNDS):
            p50_us, per_s = bare(DETECTOR_REQUESTS)
            row: dict[str, Any] = {"bare_per_s": per_s, "bare_p50_us": p50_us}
            before = _handled_us(found)
            row["1_in_flight"] = _drive(found.server, body, DETECTOR_REQUESTS, 1, 1)
            row["parts_ms"] = _parts_ms(row, before, _handled_us(found))
            row["2_in_flight"] = _drive(found.server, body, DETECTOR_REQUESTS, 1, 2)
            rounds.append(row)
    return {
        **{f"share_of_bare_throughput_{callers}_in_flight": _share(rounds, callers) for callers in (1, 2)},
        "ms_of_a_request_1_in_flight": {
            part: round(statistics.median(each["parts_ms"][part] for each in rounds), 2)
            for part in rounds[0]["parts_ms"]
        },
        "rounds": rounds,
    }


def _share(rounds: list[dict[str, Any]], callers: int) -> float:
    shares = (each[f"{callers}_in_flight"]["requests_per_s"] / each["bare_per_s"] for each in rounds)
    return round(statistics.median(shares), 3)


def _parts_ms(row: dict[str, Any], before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Where a turn's requests spent their time, on the average, and what the bare call takes."""
    handler, tensorflow = ((after[name] - before[name]) / DETECTOR_REQUESTS for name in _HANDLED)
    return {
        "bare_call": 1e3 / row["bare_per_s"],
        "tensorflow_in_the_server": tensorflow / 1e3,
        "rest_of_the_handler": (handler - tensorflow) / 1e3,
        "transport_and_client": (row["1_in_flight"]["mean_us"] - handler) / 1e3,
    }


@contextmanager
def _serving(model: str, scratch: Path) -> Iterator[target.Target]:
    monitoring = scratch / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    flags = (f"--model_name={model}", f"--model_base_path={scratch / model}", f"--monitoring_config_file={monitoring}")
    with target.started(EMBEDDED, flags, scratch, scratch / "server.log") as found:
        yield found


@contextmanager
def _bare(folder: Path, array: Path) -> Iterator[Any]:
    """A process that calls the signature in a loop when told to; gives the median microseconds and calls a second."""
    command = [sys.executable, __file__, "--bare", str(folder), str(array)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        ask, told = child.stdin, child.stdout

        def times(calls: int) -> tuple[float, float]:
            print(calls, file=ask, flush=True)
            return tuple(json.loads(told.readline()))  # type: ignore[return-value]

        times(20)
        yield times
        ask.close()


def _call_in_loop(folder: str, picture: str) -> None:
    session, fed, fetched = graphs.session(Path(folder))
    call = session.make_callable(fetched, feed_list=[fed])
    array = np.load(picture)
    for line in sys.stdin:
        taken = []
        for place in range(int(line)):
            start = time.perf_counter()
            call(array)
            if place >= _FIRST:
                taken.append(time.perf_counter() - start)
        print(json.dumps([1e6 * statistics.median(taken), len(taken) / sum(taken)]), flush=True)


def _drive(server: str, body: Path, requests: int, connections: int, in_flight: int) -> dict[str, float]:
    """Requests a second, and the median and mean time of a request, out of h2load's log."""
    log = body.with_suffix(".log")
    log.unlink(missing_ok=True)
    argv = ["h2load", "-n", requests, "-c", connections, "-m", in_flight, "-d", body, f"--log-file={log}"]
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers", f"http://{server}/{_METHOD}"]
    done = subprocess.run([*map(str, argv), *headers], capture_output=True, text=True, check=True)
    if f"{requests} succeeded" not in done.stdout:
        raise ServeError(f"h2load had failures: {done.stdout}")
    began, taken = (np.loadtxt(log, usecols=column) for column in (0, 2))
    ended = np.sort(began + taken)
    return {
        "requests_per_s": round((requests - _FIRST) / (ended[-1] - ended[_FIRST - 1]) * 1e6, 2),
        "p50_us": float(np.median(taken[_FIRST:])),
        "mean_us": float(np.mean(taken)),
    }


def _outside_tensorflow(found: target.Target) -> dict[str, float]:
    """What of a request's time in the server's own code was not TensorFlow's."""
    handler, tensorflow = _handled_us(found).values()
    return {"share_of_handler_outside_tensorflow": round(1 - tensorflow / handler, 3)}


def _handled_us(found: target.Target) -> dict[str, float]:
    """What the server's own metrics add up to: all of its handler, and TensorFlow in it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{found.rest_port}{_METRICS}") as response:
        text = response.read().decode()
    return {
        name: float(re.search(rf"^:tensorflow:serving:{name}_sum\S* (\S+)", text, re.M)[1])  # type: ignore[index]
        for name in _HANDLED
    }


def _saved(array: np.ndarray[Any, Any], scratch: Path) -> Path:
    path = scratch / "input.npy"
    np.save(path, array)
    return path


def _body(model: str, found: target.Target, array: Path) -> Path:
    """A request as gRPC frames it: not compressed, its length, its bytes."""
    with Client(found.server) as client:
        (name,) = client.signature(model).inputs
    raw = predict_request(model, {name: np.load(array)}).SerializeToString()
    path = array.with_name("request.bin")
    path.write_bytes(b"\0" + len(raw).to_bytes(4, "big") + raw)
    return path


def _publish(subject: graphs.Subject, scratch: Path) -> None:
    command = [sys.executable, "-m", "converters", "build", "ssd", "--source", str(subject.frozen(scratch))]
    command += ["--outputs", ",".join(subject.outputs), "--version", "1", "--repository", str(scratch)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _h2load_version() -> str:
    try:
        return subprocess.run(["h2load", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        raise SystemExit("error: h2load is missing; install nghttp2-client") from None


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        _call_in_loop(*sys.argv[2:])
    else:
        main()
