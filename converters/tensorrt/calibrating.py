"""Calibration pictures in batches of one shape, as TensorRT wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from converters.calibration import locate
from converters.graphs import Graph
from converters.tensorrt.plan import Calibration
from model_config.errors import BuildError

Batch = Mapping[str, Any]


def batches(graph: Graph, calibration: Calibration, shapes: Mapping[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    """All batches, by the signature's names; what does not fill the last one is left out.

    Args:
        graph: its signature says what a picture has to become.
        calibration: where the pictures lie, and how many make a batch.
        shapes: of every input; where the signature leaves a picture's sides open, these count.

    Raises:
        BuildError: the data do not fit the graph, or are fewer than one batch.
    """
    closed = _closed(graph, shapes)
    data = locate(calibration.path, calibration.pictures, calibration.way, calibration.hold_out)
    rows = list(islice(data.rows(closed), calibration.pictures))
    count = len(rows) // calibration.batch
    if not count:
        raise BuildError(
            f"{calibration.path} holds {len(rows)} calibration examples, which is less than one batch of "
            f"{calibration.batch}; put more there, or lower calibration.batch_size"
        )
    return [_joined(rows[number * calibration.batch : (number + 1) * calibration.batch]) for number in range(count)]


def _closed(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """The graph with a signature in which only the batch is open, so that pictures come in one size."""
    signature = SignatureDef()
    signature.CopyFrom(graph.signature)
    for name, shape in shapes.items():
        for dim, size in list(zip(signature.inputs[name].tensor_shape.dim, shape))[1:]:
            dim.size = size
    return Graph(graph.graph_def, graph.key, signature)


def _joined(rows: Sequence[Batch]) -> dict[str, Any]:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
