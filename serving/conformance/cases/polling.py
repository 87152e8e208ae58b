"""New version folders, found while the model is served."""

from __future__ import annotations

import shutil
from typing import Any

from serving.conformance.case import Bench, case
from serving.conformance.questions import X, config, model, predict, reload, status
from serving.conformance.settings import base_config
from serving.conformance.waiting import until

_BAD = (
    "model_version_status { version: 124 state: END "
    'status { error_code: OUT_OF_RANGE error_message: "Read less bytes than requested" } } '
)


def _ask(version: int | None = None) -> Any:
    return predict("hpt_grow", {"x": X[0]}, version=version)


@case("Polling: a bad version leaves the one before, a good one takes its place")
def _grows(bench: Bench) -> None:
    folder = bench.target.folder / "hpt_grow"
    bench.ask(reload(config(model(bench.target.folder, "hpt_grow")))).require("OK", "status { }")
    _publish_bad(folder)
    available = "model_version_status { version: 123 state: AVAILABLE status { } }"
    until(lambda: bench.ask(status("hpt_grow")).text == _BAD + available)
    assert bench.ask(_ask()).require("OK").message.model_spec.version.value == 123
    bench.ask(_ask(124)).require("NOT_FOUND", "Servable not found for request: Specific(hpt_grow, 124)")
    shutil.copytree(folder / "123", folder / "draft")
    (folder / "draft").rename(folder / "125")
    newer = "model_version_status { version: 125 state: AVAILABLE status { } } "
    ended = "model_version_status { version: 123 state: END status { } }"
    until(lambda: bench.ask(status("hpt_grow")).text == newer + _BAD + ended)
    assert bench.ask(_ask()).require("OK").message.model_spec.version.value == 125
    bench.ask(_ask(123)).require("NOT_FOUND", "Servable not found for request: Specific(hpt_grow, 123)")
    bench.ask(reload(base_config(bench.target.folder))).require("OK")


def _publish_bad(folder: Any) -> None:
    (folder / "bad").mkdir()
    (folder / "bad" / "saved_model.pb").write_bytes(b"\xff garbage")
    (folder / "bad").rename(folder / "124")
