"""Starts that must fail: exit code 255 and the reason in the real server's words."""

from __future__ import annotations

from serving.conformance.asking import Mismatch
from serving.conformance.case import Bench, case
from serving.conformance.questions import ALL, config, label, model
from serving.conformance.target import failed_start

_EXIT = 255


def _fails(bench: Bench, flags: list[str], text: str) -> None:
    code, told = failed_start(bench.command, [*flags, "--max_num_load_retries=0"])
    if code != _EXIT or text not in told:
        raise Mismatch(f"expected exit code {_EXIT} and {text!r}\n     got {code} {told!r}")


def _fails_with_config(bench: Bench, entry: str, text: str) -> None:
    path = bench.target.folder / "wrong.config"
    path.write_text(config(entry))
    _fails(bench, [f"--model_config_file={path}"], text)


@case("Start: nothing to serve is named", own=True)
def _nothing(bench: Bench) -> None:
    text = (
        "Failed to start server. Error: INVALID_ARGUMENT: "
        "Both server_options.model_base_path and server_options.model_config_file are empty!"
    )
    _fails(bench, [], text)


@case("Start: the config file is not there", own=True)
def _no_file(bench: Bench) -> None:
    text = "Failed to start server. Error: NOT_FOUND: nothere.conf; No such file or directory"
    _fails(bench, ["--model_config_file=nothere.conf"], text)


@case("Start: a relative base path", own=True)
def _relative(bench: Bench) -> None:
    text = (
        "Failed to start server. Error: INVALID_ARGUMENT: "
        "Expected model none to have an absolute path or URI; got base_path()=relative/x"
    )
    _fails_with_config(bench, 'name: "none" base_path: "relative/x" model_platform: "tensorflow"', text)


@case("Start: a saved_model.pb that is garbage", own=True)
def _garbage(bench: Bench) -> None:
    text = (
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
        "{{{name: bad version: 1} due to error: OUT_OF_RANGE: Read less bytes than requested}, }"
    )
    _fails_with_config(bench, model(bench.target.folder, "bad"), text)


@case("Start: a label without leave, as nothing is loaded yet", own=True)
def _label(bench: Bench) -> None:
    text = "Request to assign label to version 1 of model dense, which is not currently available for inference"
    _fails_with_config(bench, model(bench.target.folder, "dense", ALL, label("stable", 1)), text)
