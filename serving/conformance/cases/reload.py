"""HandleReloadConfigRequest: what may be asked for, what is refused, and what is served afterwards."""

from __future__ import annotations

import re
import threading
from typing import Any

from serving.conformance.case import Bench, case, rows
from serving.conformance.cases.predict import answer
from serving.conformance.questions import ALL, config, label, metadata, model, predict, reload, specific, status
from serving.conformance.settings import base_config
from serving.conformance.waiting import until

_OK = "status { }"
_V1, _V2 = answer("22.5 27.5 49.5 63.5", 1), answer("23.0 27.0 50.0 63.0")
_KIND = "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported"
# the real server hangs over these for ever; one that says what is wrong does better
_HANGS_S = 5.0

rows(
    "Reload",
    {
        "config unset": (reload(None), "INVALID_ARGUMENT", _KIND),
        "config empty": (reload(""), "INVALID_ARGUMENT", _KIND),
        "custom_model_config": (reload("custom_model_config { }"), "INVALID_ARGUMENT", _KIND),
    },
)


def _base(bench: Bench) -> None:
    bench.ask(reload(base_config(bench.target.folder))).require("OK", _OK)


def _with(bench: Bench, *entries: str) -> Any:
    """The base config with one more model."""
    text = base_config(bench.target.folder)
    return reload(text[:-1] + " ".join(f"config {{ {entry} }}" for entry in entries) + " }")


def _still_serves(bench: Bench) -> None:
    bench.ask(predict()).require("OK", _V2)
    bench.ask(status("q")).require("NOT_FOUND", "Could not find any versions of model q")
    bench.ask(predict("q")).require("NOT_FOUND", "Servable not found for request: Latest(q)")


@case("Reload: the same config")
def _same(bench: Bench) -> None:
    _base(bench)
    bench.ask(predict()).require("OK", _V2)


@case("Reload: an empty list unloads everything, and the models come back")
def _empty(bench: Bench) -> None:
    bench.ask(reload("model_config_list { }")).require("OK", _OK)
    until(lambda: bench.ask(predict()).code == "NOT_FOUND")
    bench.ask(predict()).require("NOT_FOUND", "Servable not found for request: Latest(dense)")
    ended = " ".join(f"model_version_status {{ version: {n} state: END status {{ }} }}" for n in (2, 1))
    until(lambda: bench.ask(status("dense")).text == ended)
    _base(bench)
    until(lambda: bench.ask(predict()).text == _V2)


@case("Reload: a model without a name")
def _nameless(bench: Bench) -> None:
    bench.ask(_with(bench, model(bench.target.folder, "", base="dense"))).require("OK", _OK)
    bench.ask(predict()).require("OK", _V2)
    _base(bench)


def _refused(name: str, wrong: str, text: str, *, may_break: bool = False) -> None:
    @case(f"Reload: {name}", may_break=may_break)
    def check(bench: Bench) -> None:
        entry = wrong.replace("FOLDER", str(bench.target.folder))
        bench.ask(_with(bench, entry)).require("INVALID_ARGUMENT", text)
        bench.ask(predict()).require("OK", _V2)
        if 'name: "q"' in entry:
            _still_serves(bench)
        if not may_break:
            _base(bench)


_TENSORFLOW = 'model_platform: "tensorflow"'
_ABSOLUTE = "Expected model q to have an absolute path or URI; got base_path()="
_refused("no base_path", f'name: "q" {_TENSORFLOW}', _ABSOLUTE)
_refused("relative base_path", f'name: "q" base_path: "mdl/slow" {_TENSORFLOW}', _ABSOLUTE + "mdl/slow")
_refused(
    "unknown platform",
    'name: "q" base_path: "FOLDER/slow" model_platform: "caffe"',
    "Model q requests unsupported platform caffe",
)
_refused(
    "a name twice",
    f'name: "dense" base_path: "FOLDER/slow" {_TENSORFLOW}',
    "Illegal to list model dense multiple times in config list",
)
_refused(
    "no platform",
    'name: "q" base_path: "FOLDER/slow"',
    "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform, "
    "model name is q",
    may_break=True,
)


@case("Reload: the platform of a live model changed")
def _platform(bench: Bench) -> None:
    text = config(model(bench.target.folder, "dense", ALL).replace('"tensorflow"', '"other"'))
    bench.ask(reload(text)).require(
        "INVALID_ARGUMENT",
        "Illegal to change a model's platform. For model dense platform was tensorflow "
        "and new platform requested is other",
    )
    bench.ask(predict()).require("OK", _V2)
    _base(bench)


@case("Reload: the base path of a live model changed")
def _moved(bench: Bench) -> None:
    folder = bench.target.folder
    bench.ask(reload(config(model(folder, "dense", base="half_plus_two"), model(folder, "slow")))).require("OK", _OK)
    until(lambda: bench.ask(status("dense", version=123)).text.count("AVAILABLE") == 1)
    _base(bench)
    until(lambda: bench.ask(predict()).text == _V2)


@case("Reload: a version that is not there or cannot be found is told of, and the server goes on", may_break=True)
def _missing(bench: Bench) -> None:
    folder = bench.target.folder
    wrong = {
        "no such base path": model(folder, "q", base="nowhere"),
        "a base path without versions": model(folder, "q", base="empty"),
        "a version that is not there": model(folder, "q", specific(9), base="dense"),
    }
    for entry in wrong.values():
        got = bench.ask(_with(bench, entry), _HANGS_S)
        if got.code == "DEADLINE_EXCEEDED":  # the real one, which then holds its lock: nothing more to see
            _still_serves(bench)
            return
        got.require("NOT_FOUND")
        _still_serves(bench)
        _base(bench)


@case("Reload: a saved_model.pb that is garbage")
def _garbage(bench: Bench) -> None:
    reason = "Read less bytes than requested"
    bench.ask(_with(bench, model(bench.target.folder, "bad"))).require(
        "UNKNOWN",
        f"1 model(s) did not become available: {{{{{{name: bad version: 1}} due to error: OUT_OF_RANGE: {reason}}}, }}",
    )
    bench.ask(status("bad")).require(
        "OK",
        "model_version_status { version: 1 state: END "
        f'status {{ error_code: OUT_OF_RANGE error_message: "{reason}" }} }}',
    )
    bench.ask(predict("bad")).require("NOT_FOUND", "Servable not found for request: Latest(bad)")
    bench.ask(predict("bad", version=1)).require("NOT_FOUND", "Servable not found for request: Specific(bad, 1)")
    bench.ask(metadata("bad")).require("NOT_FOUND", "Servable not found for request: Latest(bad)")
    bench.ask(predict()).require("OK", _V2)
    _base(bench)


@case("Reload: a warm-up record that fails makes the load fail")
def _badly_warmed(bench: Bench) -> None:
    got = bench.ask(_with(bench, model(bench.target.folder, "badly_warmed"))).require("UNKNOWN")

    assert "1 model(s) did not become available: {{{name: badly_warmed version: 1} due to error: " in got.text
    bench.ask(predict("badly_warmed")).require("NOT_FOUND")
    _base(bench)


@case("Reload: the latest 0 versions are one")
def _latest_none(bench: Bench) -> None:
    bench.ask(_with(bench, model(bench.target.folder, "q", _LATEST.format(0), base="dense"))).require("OK", _OK)
    until(lambda: "AVAILABLE" in bench.ask(status("q")).text)
    bench.ask(status("q")).require("OK", re.compile(r"model_version_status \{ version: 2 state: AVAILABLE .*"))
    _base(bench)


_LATEST = "model_version_policy {{ latest {{ num_versions: {} }} }}"


@case("Reload: the policies latest, all and specific")
def _policies(bench: Bench) -> None:
    folder = bench.target.folder
    for policy, wanted in ((_LATEST.format(1), {2}), (ALL, {1, 2}), (specific(1), {1}), (_LATEST.format(2), {1, 2})):
        bench.ask(reload(config(model(folder, "dense", policy), model(folder, "half_plus_two")))).require("OK", _OK)
        _until_available(bench, wanted)
    _base(bench)


def _until_available(bench: Bench, wanted: set[int]) -> None:
    def available() -> set[int]:
        found = bench.ask(status("dense")).require("OK").message.model_version_status
        return {each.version for each in found if each.state == each.AVAILABLE}

    until(lambda: available() == wanted)


@case("Reload: a label moves between versions that are available")
def _label_moves(bench: Bench) -> None:
    folder = bench.target.folder
    for version, wanted in ((2, _V2), (1, _V1)):
        bench.ask(reload(config(model(folder, "dense", ALL, label("stable", version))))).require("OK", _OK)
        bench.ask(predict(label="stable")).require("OK", wanted)
    _base(bench)


@case("Reload: a new label may name a version that is not there, as the flag allows it", own=True)
def _label_ahead(bench: Bench) -> None:
    entry = model(bench.target.folder, "dense", ALL, label("next", 5))
    bench.ask(reload(config(entry))).require("OK", _OK)
    bench.ask(predict(label="next")).require("NOT_FOUND", "Servable not found for request: Specific(dense, 5)")
    _base(bench)
    bench.ask(predict(label="next")).require("INVALID_ARGUMENT", "Unrecognized servable version label: next")


@case("Reload: waits until a model has loaded, while others answer")
def _waits(bench: Bench) -> None:
    answers: list[Any] = []
    request = _with(bench, model(bench.target.folder, "slowload"))
    thread = threading.Thread(target=lambda: answers.append(bench.ask(request, 60)))
    thread.start()
    until(lambda: "LOADING" in bench.ask(status("slowload")).text)
    bench.ask(status("slowload")).require("OK", "model_version_status { version: 1 state: LOADING status { } }")
    bench.ask(predict("slowload")).require("NOT_FOUND", "Servable not found for request: Latest(slowload)")
    bench.ask(predict("slowload", version=1)).require(
        "NOT_FOUND", "Servable not found for request: Specific(slowload, 1)"
    )
    bench.ask(metadata("slowload")).require("NOT_FOUND", "Servable not found for request: Latest(slowload)")
    bench.ask(predict()).require("OK", _V2)
    thread.join()
    answers[0].require("OK", _OK)
    bench.ask(status("slowload")).require("OK", "model_version_status { version: 1 state: AVAILABLE status { } }")
    _base(bench)
    until(lambda: "END" in bench.ask(status("slowload")).text)
    bench.ask(status("slowload")).require("OK", "model_version_status { version: 1 state: END status { } }")
