"""TF-TRT by its own converter, in a process of its own, with a proof of what became of the graph."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Final

from converters import graphs, remarks
from converters.picture_inputs import Way
from converters.registry import register
from converters.tensorrt import machine, process, proof, segments
from converters.tensorrt.plan import PRECISIONS, Calibration, Plan, Wishes, decide
from model_config import base_path
from model_config.errors import BuildError
from model_config.manifest import TensorRT

_LISTED: Final = 8


@register("tf_trt")
def tf_trt(
    source: Path,
    target: Path,
    *,
    precision: str,
    batch_sizes: str = "1",
    input_sizes: str = "",
    shapes: str = "auto",
    minimum_segment_size: str = "3",
    workspace_mib: str = "4096",
    gpu_memory_mib: str = "",
    exclude: str = "",
    half: str = "",
    minimum_inside: str = "0.9",
    calibration: str = "",
    pictures: str = "100",
    pixels: str = "0,255",
    encode: str = "",
    calibration_batch: str = "8",
    hold_out: str = "no",
) -> None:
    """Put TensorRT engines in the place of what TensorRT can compute, built ahead for every declared batch size.

    Args:
        source: a frozen graph; sizes that are always the same should be constants before.
        target: the servable with its engines, and what is known of them in assets.extra.
        precision: FP32 (with TF32 where the GPU has it), FP16 or INT8.
        batch_sizes: such as ``1,8``.
        input_sizes: height and width of pictures where the graph leaves them open, such as ``640x640,800x600``.
        shapes: ``static``, ``dynamic``, or ``auto`` for what suits the graph.
        minimum_segment_size: fewer operations in a row stay in TensorFlow.
        workspace_mib: what TensorRT may take of the GPU's memory to compute.
        gpu_memory_mib: what TensorFlow and TensorRT may take in all.
        exclude: operations that stay in TensorFlow, separated by commas.
        half: operations that stay out of INT8 engines and become FP16 ones, separated by commas.
        minimum_inside: share of the arithmetic that has to be inside engines.
        calibration: a folder of pictures, or arrays as the graph takes them, for INT8.
        pictures: how many of them to use.
        pixels: what the darkest and the brightest pixel become where the graph takes floats, such as ``-1,1``.
        encode: how pictures become inputs instead, as JSON of a task's encode in models.yaml.
        calibration_batch: how many are calibrated with at once.
        hold_out: ``yes`` to set some of them aside to judge by.
    """
    if precision not in PRECISIONS:
        raise BuildError(f"precision is one of {', '.join(PRECISIONS)}, not {precision!r}")
    wishes = Wishes(
        precision=precision,  # type: ignore[arg-type]  # as was just seen
        batch_sizes=tuple(int(size) for size in batch_sizes.split(",")),
        input_sizes=_sizes(input_sizes),
        shapes=shapes,
        minimum_segment_size=int(minimum_segment_size),
        workspace_mib=int(workspace_mib),
        gpu_memory_mib=int(gpu_memory_mib) if gpu_memory_mib else None,
        exclude=_names(exclude),
    )
    data = None
    if precision == "INT8" and calibration:
        way = Way.from_words(pixels, encode)
        data = Calibration(Path(calibration), int(pictures), way, int(calibration_batch), hold_out == "yes")
    plan = decide(graphs.read(source), wishes, data, _names(half))
    _convert(source, target, plan, float(minimum_inside))


def _names(listed: str) -> tuple[str, ...]:
    return tuple(filter(None, listed.split(",")))


def _sizes(listed: str) -> tuple[tuple[int, int], ...]:
    pairs = [each.split("x") for each in _names(listed)]
    return tuple((int(height), int(width)) for height, width in pairs)


def _convert(source: Path, target: Path, plan: Plan, minimum_inside: float) -> None:
    found = machine.here()
    converted = process.convert(source, target, plan)
    facts = TensorRT(
        **asdict(found),
        precision=plan.precision,
        dynamic=plan.dynamic,
        shapes=plan.shapes,
        minimum_segment_size=plan.minimum_segment_size,
        workspace_mib=plan.workspace_mib,
        gpu_memory_mib=plan.gpu_memory_mib,
        excluded=plan.exclude,
        calibration_batches=converted.segments.calibration_batches,
        decisions=plan.reasons,
        engines=converted.segments.engines,
        outside=segments.with_reasons(converted.segments.outside, converted.log),
        arithmetic_inside=round(converted.segments.inside_share, 4),
        engine_bytes=base_path.sizes(target).get("assets", 0),
    )
    _require_inside(facts, minimum_inside)
    for reason in plan.reasons:
        remarks.remark(reason)
    remarks.remark(
        f"{len(facts.engines)} engines do {facts.arithmetic_inside:.1%} of the arithmetic; "
        f"outside: {_listed(facts) or 'nothing'}"
    )
    proof.write(facts, target)


def _require_inside(facts: TensorRT, minimum: float) -> None:
    """Refuse what would run in TensorFlow for the most part, silently and no faster."""
    if facts.arithmetic_inside < minimum:
        raise BuildError(
            f"TensorRT took {facts.arithmetic_inside:.1%} of the arithmetic, less than the {minimum:.0%} that "
            f"tensorrt.minimum_inside in models.yaml asks for; outside stayed {_listed(facts)}"
        )


def _listed(facts: TensorRT) -> str:
    """The operations outside, most frequent first, each with its first reason."""
    words = [
        f"{each.count} {each.operation}" + (f" ({each.reasons[0]})" if each.reasons else "") for each in facts.outside
    ]
    more = [f"{len(words) - _LISTED} other types"] if len(words) > _LISTED else []
    return ", ".join([*words[:_LISTED], *more])
