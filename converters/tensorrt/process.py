"""Run the conversion in its own process: follow its progress, read its log, and say in one sentence what went wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter

from converters import progress
from converters.tensorrt.plan import Plan
from converters.tensorrt.segments import Segments, described
from model_config.errors import BuildError

# what TF-TRT has to say beyond errors, and why it leaves what it leaves
_SAYING: Final = MappingProxyType(
    {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_TRT_SHOW_DETAILED_REPORT": "1", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
)

_FAILED: Final = re.compile(r"Engine creation for (\S+) failed[^\n]*")
_OUT_OF_MEMORY: Final = re.compile(r"[Oo]ut of memory|OOM when allocating|RESOURCE_EXHAUSTED|ResourceExhaustedError")
_PREFIX: Final = re.compile(r"^[\d: .-]+[EWF] \S+\] ")


@dataclass(frozen=True)
class Converted:
    """What came of a conversion beside the servable: the graph in figures, and what TF-TRT logged."""

    segments: Segments
    log: str


def convert(source: Path, target: Path, plan: Plan) -> Converted:
    """Convert ``source`` to ``target``.

    Raises:
        BuildError: it failed; the log stays beside the target until the draft is deleted.
    """
    written, logged = target.with_name("tensorrt-plan.json"), target.with_name("tensorrt.log")
    written.write_text(plan.to_json(), encoding="utf-8")
    command = [sys.executable, "-m", "converters.tensorrt.convert", str(source), str(target), str(written)]
    with logged.open("wb") as log:
        code = _run(command, log)
    log_text = logged.read_text(encoding="utf-8", errors="replace")
    if code:
        raise BuildError(_why(code, log_text, plan))
    if told := failure(log_text, plan):
        raise BuildError(told)
    return Converted(TypeAdapter(Segments).validate_json(described(target).read_bytes()), log_text)


def _run(command: list[str], log: Any) -> int:
    """Follow a conversion to its end; it ends with this process."""
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": log, "env": {**os.environ, **_SAYING}}
    with subprocess.Popen(command, **given) as child:  # type: ignore[call-overload]  # as these are
        try:
            for line in child.stdout or ():
                _follow(line)
            return int(child.wait())
        except BaseException:
            child.kill()
            raise


def _follow(line: bytes) -> None:
    if line.startswith(b"{"):
        told = json.loads(line)
        progress.advance(told["done"], told["total"], told["words"])


def _why(code: int, log: str, plan: Plan) -> str:
    if _OUT_OF_MEMORY.search(log):
        return _no_memory(plan)
    words = [line for line in log.splitlines() if line.strip()]
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
    return f"the conversion to TensorRT {ended}: {_plain(words[-1]) if words else 'it said nothing'}"


def failure(log: str, plan: Plan) -> str | None:
    """Why an engine was not built, which TF-TRT only logs; None where all were."""
    failed = _FAILED.search(log)
    if failed is None:
        return None
    return _no_memory(plan) if _OUT_OF_MEMORY.search(log) else f"TensorRT built no engine: {failed[0]}"


def _no_memory(plan: Plan) -> str:
    limit = f"gpu_memory_mib (now {plan.gpu_memory_mib}) is too low, or " if plan.gpu_memory_mib else ""
    return (
        f"the GPU's memory did not suffice: {limit}lower tensorrt.workspace_mib (now {plan.workspace_mib}) "
        "or the largest batch size in models.yaml, or stop what else uses the GPU"
    )


def _plain(line: str) -> str:
    return _PREFIX.sub("", line).strip()
