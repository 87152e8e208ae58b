"""What each version takes: its size, the server's own load times, and what weighing it alone has shown."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from clients.comparison import Costs
from model_config.base_path import Version
from model_config.bundle import METRICS_PATH

WEIGHED: Final = "costs.json"  # in the folder of results, as python -m serving weigh writes it

_TIMEOUT_S: Final = 3.0
_LOAD: Final = ":tensorflow:cc:saved_model:load_latency"  # microseconds of all loads of a path
_LOADS: Final = ":tensorflow:cc:saved_model:load_attempt_count"


def metrics_of(server: str, url: str | None) -> str:
    """The server's metrics as text; empty where it has none to tell, as few servers must.

    Args:
        server: HOST:PORT, whose REST port is the next one unless ``url`` says where.
    """
    host, _, port = server.partition(",")[0].rpartition(":")
    place = url or (f"http://{host}:{int(port) + 1}{METRICS_PATH}" if port.isdigit() else "")
    try:
        with urllib.request.urlopen(place, timeout=_TIMEOUT_S) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except (OSError, ValueError, http.client.HTTPException):  # of whatever else has that port
        return ""


def of(built: Mapping[int, Version | None], model: str, metrics: str, folder: Path) -> dict[int, Costs]:
    """What is known of every version; what nobody could say is None.

    Args:
        built: the versions' folders, as far as they are on this machine.
        metrics: what the server tells; its load times are those of the way it was started now.
        folder: of the results, where an earlier weighing may lie.
    """
    loads, before = load_seconds(metrics), weighed(folder / WEIGHED, model)
    found = {}
    for number, version in built.items():
        alone = _same(before.get(str(number), {}), version)
        found[number] = Costs(
            version.size_bytes if version else None,
            alone.get("load_seconds", loads.get(f"{model}/{number}")),
            alone.get("memory_bytes"),
            alone.get("gpu_memory_bytes"),
        )
    return found


def load_seconds(text: str) -> dict[str, float]:
    """Seconds of one load, by MODEL/VERSION; none where the text is not that of a server's metrics."""
    sums: dict[str, dict[str, float]] = {_LOAD: {}, _LOADS: {}}
    for sample in _samples(text):
        name, path = sample.name.removesuffix("_total"), sample.labels.get("model_path", "")
        if name in sums and sample.labels.get("status", "success") == "success":
            sums[name]["/".join(Path(path).parts[-2:])] = sample.value
    return {what: us / 1e6 / (sums[_LOADS].get(what) or 1.0) for what, us in sums[_LOAD].items()}


def _samples(text: str) -> list[Any]:
    try:
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError:
        return []


def weighed(path: Path, model: str) -> Mapping[str, Any]:
    """What an earlier weighing of the model wrote, by version; nothing where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["versions"] if found["model"] == model else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _same(found: Mapping[str, Any], version: Version | None) -> Mapping[str, Any]:
    """What was weighed, unless the version has been built again since."""
    made = version.manifest if version else None
    return found if made and found.get("key") == made.key else {}
