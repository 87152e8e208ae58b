"""How a graph is to be converted, decided before a GPU is asked: shapes, what stays outside, bounds on memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import tensorflow as tf
from pydantic import TypeAdapter

from converters import graphs
from converters.graphs import Graph
from converters.layers import OPERATIONS
from converters.picture_inputs import Way
from model_config.errors import BuildError

Precision = Literal["FP32", "FP16", "INT8"]
PRECISIONS: Final[tuple[Precision, ...]] = ("FP32", "FP16", "INT8")
AUTO, STATIC, DYNAMIC = "auto", "static", "dynamic"

_USUAL_SIDE: Final = 320


@dataclass(frozen=True)
class Wishes:
    """What a model asks of TF-TRT.

    Attributes:
        batch_sizes: engines are built for each of them.
        input_sizes: height and width of pictures, where the model does not fix them.
        shapes: ``static`` engines for each size, ``dynamic`` ones with a profile for each, or what suits the graph.
        minimum_segment_size: fewer operations in a row are not worth an engine.
        workspace_mib: what TensorRT may take beside weights and activations, in MiB.
        gpu_memory_mib: what TensorFlow may take in all, TensorRT's part included; all there is when None.
        exclude: operations that stay in TensorFlow.
    """

    precision: Precision
    batch_sizes: tuple[int, ...] = (1,)
    input_sizes: tuple[tuple[int, int], ...] = ()
    shapes: str = AUTO
    minimum_segment_size: int = 3
    workspace_mib: int = 4096
    gpu_memory_mib: int | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """The pictures INT8 learns its ranges from, in batches of one size.

    Attributes:
        path: a folder of pictures, or arrays as the graph takes them.
        pictures: how many of them at most.
        way: how they become inputs.
        batch: how many are asked at once.
        hold_out: set some aside to judge by.
    """

    path: Path
    pictures: int
    way: Way
    batch: int
    hold_out: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything the conversion needs to know beside the graph.

    Attributes:
        shapes: the shapes of the inputs that engines are built for, by the signature's names.
        dynamic: one engine with a profile for each of them, instead of one engine each.
        exclude: operations that stay in TensorFlow.
        half: those of them that may become engines of their own in FP16.
        reasons: one sentence for each decision.
    """

    precision: Precision
    shapes: tuple[dict[str, tuple[int, ...]], ...]
    dynamic: bool
    minimum_segment_size: int
    workspace_mib: int
    gpu_memory_mib: int | None
    exclude: tuple[str, ...]
    half: tuple[str, ...]
    calibration: Calibration | None
    reasons: tuple[str, ...]

    def to_json(self) -> str:
        """As text that ``from_json`` reads."""
        return TypeAdapter(Plan).dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that was written."""
        return TypeAdapter(Plan).validate_json(text)


def decide(graph: Graph, wishes: Wishes, calibration: Calibration | None = None, half: Sequence[str] = ()) -> Plan:
    """A plan for a graph with the model's wishes.

    Raises:
        BuildError: a wish cannot be met, or the graph leaves sizes open that engines need.
    """
    if wishes.precision == "INT8" and calibration is None:
        raise BuildError("INT8 needs calibration data; name a folder of pictures with --calibration")
    operations = {node.name for node in graph.graph_def.node}
    _require_known(wishes.exclude, operations)
    loaded = graphs.imported(graphs.skeleton(graph.graph_def))
    outside = _open(loaded)
    _require_layers_closed(loaded, outside, wishes)
    dynamic, why = _dynamic(graph, wishes, bool(outside & _layers(loaded)))
    reasons = [why]
    if not wishes.input_sizes or not outside & _layers(loaded):
        reasons += [f"{len(outside)} operations on pictures of any size stay in TensorFlow"] * bool(outside)
    else:
        outside = set()
    return Plan(
        precision=wishes.precision,
        shapes=tuple(_shapes(graph, wishes, {1} if dynamic else set())),
        dynamic=dynamic,
        minimum_segment_size=wishes.minimum_segment_size,
        workspace_mib=wishes.workspace_mib,
        gpu_memory_mib=wishes.gpu_memory_mib,
        exclude=tuple(sorted({*wishes.exclude, *outside, *half})),
        half=tuple(half),
        calibration=calibration,
        reasons=tuple(reasons),
    )


def _require_known(names: Sequence[str], operations: set[str]) -> None:
    unknown = [name for name in names if name not in operations]
    if unknown:
        raise BuildError(f"the graph has no operation {unknown[0]!r} to exclude; see its names with converters inspect")


def _layers(loaded: Any) -> set[str]:
    return {operation.name for operation in loaded.get_operations() if operation.type in OPERATIONS}


def _open(loaded: Any) -> set[str]:
    """Operations on tensors of which more than the batch is unknown."""
    return {
        operation.name
        for operation in loaded.get_operations()
        if operation.type not in ("Const", "Placeholder")
        and any(_is_open(tensor.shape) for tensor in (*operation.inputs, *operation.outputs))
    }


def _is_open(shape: Any) -> bool:
    return shape.rank is None or (shape.rank > 1 and None in shape.as_list()[1:])


def _require_layers_closed(loaded: Any, outside: set[str], wishes: Wishes) -> None:
    if outside & _layers(loaded) and not wishes.input_sizes:
        raise BuildError(
            "the model takes pictures of any size, and so do its layers, for which no engine can be built; "
            "say in models.yaml which it will get: input_sizes: [[640, 640]] (height, width)"
        )


def _dynamic(graph: Graph, wishes: Wishes, layers_open: bool) -> tuple[bool, str]:
    if wishes.shapes != AUTO:
        return wishes.shapes == DYNAMIC, f"{wishes.shapes} shapes, as models.yaml says"
    if any(_picks(node) for node in graph.graph_def.node):
        return True, "dynamic shapes, as only with them TensorRT picks other rows in each picture"
    if layers_open:
        return True, "dynamic shapes, as pictures come in several sizes"
    return False, "static shapes, one engine for each batch size"


def _picks(node: Any) -> bool:
    """Whether it gathers by indices of each picture's own, as suppression does."""
    return node.op == "GatherV2" and bool(node.attr["batch_dims"].i)


def _shapes(graph: Graph, wishes: Wishes, further: set[int]) -> list[dict[str, tuple[int, ...]]]:
    """Of every input, for every batch size, those further ones included, and size of pictures."""
    sizes: Sequence[tuple[int, int] | None] = wishes.input_sizes or (None,)
    inputs = graph.signature.inputs.items()
    return [
        {name: _filled(name, tf.TensorShape(info.tensor_shape), batch, size) for name, info in inputs}
        for batch in sorted({*wishes.batch_sizes, *further})
        for size in sizes
    ]


def _filled(name: str, shape: Any, batch: int, size: tuple[int, int] | None) -> tuple[int, ...]:
    if shape.rank is None:
        raise BuildError(f"input {name} may have any number of dimensions, for which no engine can be built")
    known = shape.as_list()
    first = [batch if known[0] is None else known[0]] if known else []
    rest = known[1:]
    if len(rest) == 3 and None in rest[:2]:
        rest[:2] = size or (_USUAL_SIDE, _USUAL_SIDE)
    if None in rest:
        raise BuildError(f"input {name} is {shape}: only the batch and a picture's height and width may stay open")
    return (*first, *rest)
