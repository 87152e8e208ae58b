"""Ways to answer gRPC from Python, side by side: python benchmarks/transports.py

The same method answers behind each of them, in a process of its own, and h2load (Debian's nghttp2-client) drives them
in turns, with 8 requests in flight over 2 connections and with a single one. Writes benchmarks/results/transports.json.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # a program, not a package

import grpc
import numpy as np
import serve

from clients import environment
from clients.client import predict_request
from serving import address
from serving.conformance import models
from serving.embedded import grpc_server, load_settings, model_configs
from serving.embedded.catalog import Catalog
from serving.embedded.flags import Flags
from serving.embedded.metrics import Metrics
from serving.embedded.services import Method, PredictionService

RESULT = Path(__file__).parent / "results" / "transports.json"
ROUNDS = 7
THREADS = Flags().grpc_max_threads
_SERVICE = "tensorflow.serving.PredictionService"


def main() -> None:
    """Measure and write the result."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        scratch = Path(name)
        models.save_dense(scratch / "tiny" / "1", [1.0, -1.0])
        raw = predict_request("tiny", {"x": np.ones((1, 3), np.float32)}).SerializeToString()
        body = scratch / "request.bin"
        body.write_bytes(b"\0" + len(raw).to_bytes(4, "big") + raw)
        servers = {way: stack.enter_context(_started(way, scratch)) for way in WAYS}
        for server in servers.values():
            serve._drive(server, body, 1000, 2, 4)
        rounds = [{way: _both(server, body) for way, server in servers.items()} for _ in range(ROUNDS)]
    result = {"environment": environment.describe(), "medians": _medians(rounds), "rounds": rounds}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["medians"], indent=2))


def _both(server: str, body: Path) -> dict[str, float]:
    eight, one = serve._drive(server, body, 6000, 2, 4), serve._drive(server, body, 2000, 1, 1)
    return {"8_in_flight_per_s": eight["requests_per_s"], "1_in_flight_p50_us": one["p50_us"]}


def _medians(rounds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        way: {what: statistics.median(each[way][what] for each in rounds) for what in rounds[0][way]} for way in WAYS
    }


@contextmanager
def _started(way: str, scratch: Path) -> Iterator[str]:
    server = f"{address.LOCAL}:{address.free_port()}"
    command = [sys.executable, __file__, "--way", way, server, str(scratch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        if not child.stdout.readline():
            raise SystemExit(f"error: {way} did not start")
        try:
            yield server
        finally:
            child.kill()


def _method(scratch: Path) -> Method:
    metrics, flags = Metrics(), Flags()
    catalog = Catalog(load_settings.loading(flags, metrics), False, threading.Event())
    catalog.apply(model_configs.of_one_model("tiny", str(scratch / "tiny")))
    return PredictionService(catalog, metrics).methods["Predict"]


def _core(server: str, predict: Method) -> None:
    ports = grpc_server.Ports([server], None, THREADS, health=False)
    kept = grpc_server.Server({_SERVICE: {"Predict": predict}}, ports)
    _say_ready()
    threading.Event().wait()
    kept.stop(0)


def _pool(server: str, predict: Method) -> None:
    made = grpc.server(ThreadPoolExecutor(THREADS))
    made.add_generic_rpc_handlers((_handlers(lambda raw, context: predict(raw, context.time_remaining())),))
    made.add_insecure_port(server)
    made.start()
    _say_ready()
    made.wait_for_termination()


def _loop(server: str, predict: Method) -> None:
    async def answer(raw: bytes, context: Any) -> bytes:
        return predict(raw, context.time_remaining())

    asyncio.run(_asynchronous(server, answer))


def _loop_and_threads(server: str, predict: Method) -> None:
    pool = ThreadPoolExecutor(THREADS)

    async def answer(raw: bytes, context: Any) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(pool, predict, raw, context.time_remaining())

    asyncio.run(_asynchronous(server, answer))


async def _asynchronous(server: str, answer: Callable[..., Any]) -> None:
    made = grpc.aio.server()
    made.add_generic_rpc_handlers((_handlers(answer),))
    made.add_insecure_port(server)
    await made.start()
    _say_ready()
    await made.wait_for_termination()


def _handlers(answer: Callable[..., Any]) -> Any:
    return grpc.method_handlers_generic_handler(_SERVICE, {"Predict": grpc.unary_unary_rpc_method_handler(answer)})


def _say_ready() -> None:
    print("ready", flush=True)


WAYS: Mapping[str, Callable[[str, Method], None]] = {
    "grpcio's server": _pool,
    "grpc.aio, in the loop": _loop,
    "grpc.aio, in a thread": _loop_and_threads,
    "gRPC's core": _core,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--way"]:
        WAYS[sys.argv[2]](sys.argv[3], _method(Path(sys.argv[4])))
    else:
        main()
