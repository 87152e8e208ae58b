"""Versions with engines, run in turns: latencies by batch size, first requests, and the most within a bound."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import tensorflow as tf

from converters.checking import warm_up
from model_config import base_path, models

SLO_MS: Final = 7.0  # of the 99th percentile
_FEWEST_FOR_P99: Final = 459
_SAMPLES: Final = 500
_TRIES: Final = 3  # of batch sizes between one that keeps the bound and one that does not
_STEP: Final = 4
_AT_ONCE: Final = 20  # calls of a variant before the next one's turn, where they are short
_LONG_MS: Final = 50.0

Call = Callable[[Any], Any]
Row = dict[str, Any]


class Subject(Protocol):
    """What is measured."""

    @property
    def batches(self) -> tuple[int, ...]: ...  # noqa: D102

    def feed(self, batch: int) -> Any:
        """Values to ask with."""


@dataclass(frozen=True)
class Variant:
    """A version as it is run; ``strict`` without TF32."""

    name: str
    version: int
    strict: bool = False


@dataclass(frozen=True)
class Timer:
    """Times calls.

    Attributes:
        calls: by version.
        seconds: for one variant and batch size, at most.
    """

    subject: Subject
    calls: Mapping[int, Call]
    seconds: float

    def rows(self, variants: Sequence[Variant], batch: int) -> list[Row]:
        """Every variant's figures at a batch size, variants taking turns in short rounds."""
        pictures = tf.constant(self.subject.feed(batch))
        taken: list[list[float]] = [[] for _ in variants]
        for variant in variants:  # what is set up for a size is not what is measured
            self._repeat(variant, pictures, 3)
        while open_ := [(each, times) for each, times in zip(variants, taken) if self._goes_on(times)]:
            for variant, times in open_:
                short = not times or times[-1] < _LONG_MS
                times += self._repeat(variant, pictures, _AT_ONCE if short else 3)
        return [_row(times, batch) for times in taken]

    def _goes_on(self, times: Sequence[float]) -> bool:
        return len(times) < _SAMPLES and sum(times) < 1e3 * self.seconds

    def _repeat(self, variant: Variant, pictures: Any, times: int) -> list[float]:
        """Milliseconds of some calls."""
        tf.config.experimental.enable_tensor_float_32_execution(not variant.strict)
        call = self.calls[variant.version]
        call(pictures)  # the switch is not what is measured
        taken = []
        for _ in range(times):
            start = time.perf_counter()
            call(pictures)
            taken.append(1e3 * (time.perf_counter() - start))
        return taken


def measure(
    subject: Subject, folders: Mapping[int, Path], seconds: float, measured: dict[str, Row], save: Callable[[], None]
) -> None:
    """Fill ``measured``, by variant; ``save`` is called whenever there is more."""
    native = [Variant("native FP32", 1, strict=True), Variant("native TF32", 1)] if 1 in folders else []
    variants = [*native, *(Variant(models.DEFAULT_VERSIONS[number], number) for number in folders if number != 1)]
    timer = Timer(subject, {number: loaded(folder) for number, folder in folders.items()}, seconds)
    for number, folder in folders.items():
        first = _first_requests(timer, number, folder)
        for variant in variants:
            if variant.version == number:
                measured.setdefault(variant.name, {})["first_request_ms"] = first
    for batch in subject.batches:
        for variant, row in zip(variants, timer.rows(variants, batch)):
            _keep(measured, variant, str(batch), row)
        _compare(measured)
        save()
    for variant in variants:
        _search(timer, variant, measured[variant.name])
    _compare(measured)
    save()


def loaded(folder: Path) -> Call:
    """A call of the version's signature that ends when the answer is on the host."""
    held = tf.saved_model.load(str(folder))
    function = held.signatures["serving_default"]
    (name,) = function.structured_input_signature[1]

    def call(pictures: Any, _held: Any = held) -> Any:  # as the variables end with it
        return [output.numpy() for output in function(**{name: pictures}).values()]

    return call


def _first_requests(timer: Timer, number: int, folder: Path) -> dict[str, float]:
    """Milliseconds of the first request of each batch size, once the version's warm-up records were played."""
    call = timer.calls[number]
    for _, arrays in warm_up.read(folder / base_path.WARM_UP):
        call(tf.constant(next(iter(arrays.values()))))
    taken = {}
    for batch in timer.subject.batches:
        pictures = tf.constant(timer.subject.feed(batch))
        start = time.perf_counter()
        call(pictures)
        taken[str(batch)] = round(1e3 * (time.perf_counter() - start), 3)
    return taken


def _keep(measured: dict[str, Row], variant: Variant, batch: str, row: Row) -> None:
    measured[variant.name][batch] = row
    first = measured[variant.name]["first_request_ms"].get(batch)
    if first:
        row["first_request_over_p50"] = round(first / row["p50_ms"], 2)
    print(f"{variant.name:<14} batch {batch:>3}: {row}", file=sys.stderr)


def _row(taken: Sequence[float], batch: int) -> Row:
    p50, p90, p99 = np.percentile(taken, (50, 90, 99))
    enough = len(taken) >= _FEWEST_FOR_P99
    return {
        "samples": len(taken),
        "p50_ms": round(p50, 3),
        "p90_ms": round(p90, 3),
        "p99_ms": round(p99, 3) if enough else None,
        "images_per_second": round(1e3 * batch * len(taken) / sum(taken), 1),
    }


def _search(timer: Timer, variant: Variant, rows: Row) -> None:
    """Batch sizes between the largest that keeps the bound and the next one, by bisection."""
    sizes = sorted(batch for batch in map(int, _by_batch(rows)))
    below = max((size for size in sizes if _keeps(rows[str(size)])), default=0)
    above = min((size for size in sizes if size > below), default=below)
    for _ in range(_TRIES):
        middle = (below + above) // 2 // _STEP * _STEP
        if middle <= below:
            return
        rows[str(middle)] = timer.rows([variant], middle)[0]
        print(f"{variant.name:<14} batch {middle:>3}: {rows[str(middle)]}", file=sys.stderr)
        below, above = (middle, above) if _keeps(rows[str(middle)]) else (below, middle)


def _keeps(row: Row) -> bool:
    return row["p99_ms"] is not None and bool(row["p99_ms"] <= SLO_MS)


def _by_batch(rows: Row) -> dict[str, Row]:
    return {key: row for key, row in rows.items() if key.isdigit()}


def _compare(measured: dict[str, Row]) -> None:
    """How many times as fast as native, and the most images a second with the 99th percentile in bounds."""
    for rows in measured.values():
        within = [row["images_per_second"] for row in _by_batch(rows).values() if _keeps(row)]
        rows["images_per_second_within_slo"] = max(within, default=None)
    for rows in measured.values():
        for native in ("native FP32", "native TF32"):
            base, key = measured.get(native), f"times_{native.replace(' ', '_')}"
            if base:
                _ratios(rows, base, key)


def _ratios(rows: Row, base: Row, key: str) -> None:
    for batch, row in _by_batch(rows).items():
        if batch in base:
            row[key] = round(base[batch]["p50_ms"] / row["p50_ms"], 2)
    ours, theirs = rows["images_per_second_within_slo"], base["images_per_second_within_slo"]
    if ours and theirs:
        rows[f"{key}_within_slo"] = round(ours / theirs, 2)
