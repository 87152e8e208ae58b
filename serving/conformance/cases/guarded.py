"""TLS with client certificates, few threads, a config file that is read again, labels without leave."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from serving.conformance import certificates
from serving.conformance.asking import ask
from serving.conformance.case import Bench, case
from serving.conformance.cases.predict import answer
from serving.conformance.questions import X, config, label, model, predict, reload, specific
from serving.conformance.settings import MAX_THREADS, guarded_config
from serving.conformance.waiting import until

_V1, _V2 = answer("22.5 27.5 49.5 63.5", 1), answer("23.0 27.0 50.0 63.0")


@case("TLS: a client with a certificate is answered", "guarded")
def _answered(bench: Bench) -> None:
    bench.ask(predict()).require("OK", _V1)


@case("TLS: a client without a certificate is not", "guarded")
def _no_certificate(bench: Bench) -> None:
    known = certificates.credentials(bench.target.folder, with_client=False)
    with grpc.secure_channel(bench.target.server, known) as channel:
        ask(channel, predict(), 5).require("UNAVAILABLE")


@case("TLS: a client in the clear is not", "guarded")
def _in_the_clear(bench: Bench) -> None:
    with grpc.insecure_channel(bench.target.server) as channel:
        assert ask(channel, predict(), 5).code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


@case("Warm-up: a version with records answers", "guarded")
def _warmed(bench: Bench) -> None:
    bench.ask(predict("warm")).require("OK")


@case("Threads: more calls than grpc_max_threads are refused", "guarded")
def _threads(bench: Bench) -> None:
    with ThreadPoolExecutor(3 * MAX_THREADS) as pool:
        calls = [pool.submit(bench.ask, predict("slow", {"x": X})) for _ in range(3 * MAX_THREADS)]
        answers = [each.result() for each in calls]

    assert sum(each.code == "OK" for each in answers) >= MAX_THREADS
    refused = [each for each in answers if each.code != "OK"]
    assert refused
    for each in refused:
        each.require("RESOURCE_EXHAUSTED", "Server Threadpool Exhausted")


@case("Labels: one of a version that is not available needs leave", "guarded")
def _label(bench: Bench) -> None:
    entry = model(bench.target.folder, "dense", specific(1), label("stable", 5))
    bench.ask(reload(config(entry))).require(
        "FAILED_PRECONDITION",
        "Request to assign label to version 5 of model dense, which is not currently available for inference",
    )
    bench.ask(predict()).require("OK", _V1)


@case("Config file: a change is followed, one that cannot be read is not", "guarded")
def _config_file(bench: Bench) -> None:
    path = bench.target.folder / "models.config"
    path.write_text(guarded_config(bench.target.folder, 2))
    until(lambda: bench.ask(predict()).text == _V2)
    path.write_text("model_config_list { konfig { } }")
    until(lambda: bench.target.log is None or "Failed to read ModelServerConfig file" in bench.target.log.read_text())
    time.sleep(0.2)
    bench.ask(predict()).require("OK", _V2)
    path.write_text(guarded_config(bench.target.folder, 1))
    until(lambda: bench.ask(predict()).text == _V1)
