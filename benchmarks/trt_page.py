"""Write docs/tensorrt_results.md from what was measured: python benchmarks/trt_page.py

No number of the page is typed by hand but the goals; what the results lack is called not measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pages import MISSING, at, goal, machine, table

RESULTS: Final = Path(__file__).parent / "results"
PAGE: Final = Path(__file__).parents[1] / "docs" / "tensorrt_results.md"
# what each file holds; those measured later stand by themselves, as ratios hold within one run
TITLES: Final = {
    "trt-resnet50": "ResNet-50",
    "trt-resnet50-p99": "ResNet-50, the bound of 7 ms",
    "trt-resnet50-served": "ResNet-50, over gRPC",
    "trt-retinanet": "RetinaNet 640",
    "trt-retinanet-int8": "RetinaNet 640, INT8, and over gRPC",
    "trt-retinanet-served": "RetinaNet 640, FP16, over gRPC",
    "trt-ssd": "COCO SSD",
    "trt-ssd-served": "COCO SSD, over gRPC",
    "trt-ssd-served-int8": "COCO SSD, over gRPC, INT8 and batch 32",
}

Results = Mapping[str, Any]

_TF32: Final = "times_native_TF32"
_INTRODUCTION: Final = """# TensorRT, measured

Made by `python benchmarks/trt_page.py` from benchmarks/results/trt-*.json; no figure is typed by hand but the goals.

Native is version 1 in TensorFlow on the same GPU in the same run, with TF32, which is TensorFlow's default, or with
strict FP32. Inputs lie on the GPU, answers are copied to the host, variants take turns. ResNet-50 and RetinaNet have
random weights with settled batch norms; the SSD is the COCO detector of the TensorFlow 1 model zoo, asked from the
picture to its answered boxes. A 99th percentile stands where at least 459 requests support it.
"""
# what is wanted, where it stands, and at least or at most how much
_GOALS: Final = (
    ("ResNet-50, batch 128, FP16, times native TF32", ("trt-resnet50", "measured", "trt_fp16", "128", _TF32), 5.3),
    ("ResNet-50, batch 128, INT8, times native TF32", ("trt-resnet50", "measured", "trt_int8", "128", _TF32), 6.5),
    (
        "ResNet-50, images/s with p99 at most 7 ms, FP16, times native TF32",
        ("trt-resnet50-p99", "measured", "trt_fp16", f"{_TF32}_within_slo"),
        9,
    ),
    (
        "… times native strict FP32",
        ("trt-resnet50-p99", "measured", "trt_fp16", "times_native_FP32_within_slo"),
        18,
    ),
    ("RetinaNet 640, batch 8, FP16, times native TF32", ("trt-retinanet", "measured", "trt_fp16", "8", _TF32), 4),
    ("RetinaNet 640, batch 8, INT8, times native TF32", ("trt-retinanet-int8", "measured", "trt_int8", "8", _TF32), 5),
    ("COCO SSD, batch 8, FP16, times native TF32", ("trt-ssd", "measured", "trt_fp16", "8", _TF32), 25),
)
_BOUND_MS: Final = 7.0
_INSIDE: Final = 0.95
_FIRST: Final = 2.0
_AP: Final = (("4", 0.005), ("5", 0.02))


def page(results: Mapping[str, Results]) -> str:
    """The whole page.

    Args:
        results: by the file's name.
    """
    columns = ("goal", "wanted", "measured", "")
    rows = [*_speeds(results), *_shares(results), *_first_requests(results), *_accuracies(results)]
    parts = [_INTRODUCTION, table(columns, rows), *_unfit(results), *(_model(name, results[name]) for name in results)]
    return "\n".join(parts)


def _speeds(results: Mapping[str, Results]) -> Iterator[list[str]]:
    for words, (file, *keys), least in _GOALS:
        row = goal(words, at(results.get(file, {}), keys), least)
        unfit = row[2] == MISSING and keys[-1].endswith("within_slo") and file in results
        yield [*row[:2], "native keeps the bound with no batch size", ""] if unfit else row
        if unfit and (times := _over_median(results[file]["measured"])):
            yield goal("… times native strict FP32 where its median alone keeps the bound", times, least)


def _over_median(measured: Results) -> float | None:
    """FP16 within the bound over the most that native strict FP32 gives where half of its answers keep it."""
    native = [row["images_per_second"] for row in _rows(measured["native FP32"]) if row["p50_ms"] <= _BOUND_MS]
    ours = measured["trt_fp16"]["images_per_second_within_slo"]
    return ours / max(native) if native and ours else None


def _shares(results: Mapping[str, Results]) -> Iterator[list[str]]:
    for name, result in results.items():
        for number, version in result["versions"].items():
            if "tensorrt" in version:
                share = version["tensorrt"]["arithmetic_inside"]
                words = f"{TITLES[name]}, version {number}, share of the arithmetic inside engines"
                yield goal(words, share, _INSIDE)


def _first_requests(results: Mapping[str, Results]) -> Iterator[list[str]]:
    for name, result in results.items():
        engines = {key: rows for key, rows in result["measured"].items() if key.startswith("trt")}
        ratios = [row["first_request_over_p50"] for rows in engines.values() for row in _rows(rows) if _has_first(row)]
        if ratios:
            words = f"{TITLES[name]}, first request after load and warm-up, times the median, at worst"
            yield goal(words, max(ratios), _FIRST, least=False)


def _has_first(row: Mapping[str, Any]) -> bool:
    return "first_request_over_p50" in row


def _accuracies(results: Mapping[str, Results]) -> Iterator[list[str]]:
    versions = results.get("trt-ssd", {}).get("versions", {})
    for number, most in _AP:
        found, reference = (at(versions, (each, "metric", "value")) for each in (number, "1"))
        off = None if found is None or reference is None else abs(found - reference)
        yield goal(f"COCO SSD, version {number}, AP away from version 1", off, most, least=False)


def _unfit(results: Mapping[str, Results]) -> Iterator[str]:
    """What keeps the bound with no batch at all has nothing to be compared with."""
    for name, result in results.items():
        for variant, rows in result["measured"].items():
            first = rows.get("1", {}).get("p99_ms")
            if name.endswith("p99") and rows["images_per_second_within_slo"] is None:
                told = f"; with a batch of 1 its 99th percentile is {first:g} ms" if first else ""
                yield f"{TITLES[name]}: {variant} keeps the bound with no batch size{told}.\n"


def _model(name: str, result: Results) -> str:
    where = machine(result["environment"], "gpu", "driver")
    told = result["environment"]
    stack = f"TensorFlow {told['tensorflow']}, TensorRT {told['tensorrt']}, CUDA {told['cuda']}."
    note = f" {result['note']}" if "note" in result else ""
    columns = ("variant", "batch", "p50, ms", "p99, ms", "images/s", "times TF32", "times FP32", "first / p50")
    cells = [_cells(key, batch, row) for key, rows in result["measured"].items() for batch, row in _by_batch(rows)]
    parts = [f"## {TITLES[name]}\n", f"{where} {stack}{note}\n", table(columns, cells)]
    return "\n".join([*parts, *_versions(result["versions"]), *_served(result.get("served", {}))])


def _cells(variant: str, batch: int, row: Mapping[str, Any]) -> list[str]:
    keys = ("p50_ms", "p99_ms", "images_per_second", _TF32, "times_native_FP32", "first_request_over_p50")
    return [variant, str(batch), *("-" if row.get(key) is None else f"{row[key]:,g}" for key in keys)]


def _versions(versions: Mapping[str, Any]) -> Iterator[str]:
    columns = ("version", "build, s", "MB", "engines", "arithmetic inside", "outside", "verified on", "metric")
    yield table(columns, [_version(number, versions[number]) for number in sorted(versions)])


def _version(number: str, told: Mapping[str, Any]) -> list[str]:
    metric = told.get("metric")
    size, shown = f"{told['size_bytes'] / 1e6:.1f}", f"{metric['name']} {metric['value']:.4f}" if metric else "-"
    return [number, f"{told['seconds']:.0f}", size, *_engines(told.get("tensorrt")), shown]


def _engines(told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return ["-"] * 4
    outside = ", ".join(f"{each['count']} {each['operation']}" for each in told["outside"]) or "nothing"
    return [f"{len(told['engines'])}", f"{told['arithmetic_inside']:.1%}", outside, told["verified_on"]]


def _served(served: Mapping[str, Any]) -> Iterator[str]:
    """Over gRPC, where that was measured."""
    columns = ("served, variant", "batch", "images/s", "share of in process")
    rows = [
        [variant, batch, f"{row['images_per_s']:,g}", f"{row.get('share_of_in_process', 0):.1%}"]
        for variant, each in served.items()
        for batch, row in each.items()
    ]
    yield table(columns, rows) if rows else f"Served over gRPC: {MISSING}.\n"


def _by_batch(rows: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    return sorted((int(key), row) for key, row in rows.items() if key.isdigit())


def _rows(rows: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for _, row in _by_batch(rows)]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(found()), encoding="utf-8")


def found() -> dict[str, Results]:
    """The results that are there, by name."""
    paths = {name: RESULTS / f"{name}.json" for name in TITLES}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


if __name__ == "__main__":
    main()
