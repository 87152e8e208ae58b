"""The conversion itself, as a program of its own: TensorRT can take its process down, and keeps GPU memory.

``python -m converters.tensorrt.convert SOURCE TARGET PLAN`` prints its progress as lines of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.compiler.tensorrt import trt_convert

from converters import graphs
from converters.tensorrt import calibrating, segments
from converters.tensorrt.naming import rename_engines
from converters.tensorrt.plan import Plan

_EVERY_NODE: Final = "train_op"  # where TensorFlow's optimizers look for what must stay as it is


class Converter(trt_convert.TrtGraphConverterV2):  # type: ignore[misc]
    """TensorFlow's own, which can also leave operations alone, or take some of them in FP16 instead of INT8."""

    _conversion_params: Any

    def __init__(self, source: Path, key: str, plan: Plan) -> None:
        """Prepare the conversion of a SavedModel's signature ``key``."""
        super().__init__(
            input_saved_model_dir=str(source),
            input_saved_model_signature_key=key,
            use_dynamic_shape=plan.dynamic,
            # one profile for all that lies between the smallest and the largest, whose build takes minutes
            dynamic_shape_profile_strategy=("Range" if len(plan.shapes) > 1 else "Optimal"),
            max_workspace_size_bytes=plan.workspace_mib << 20,
            precision_mode=plan.precision,
            minimum_segment_size=plan.minimum_segment_size,
            maximum_cached_engines=len(plan.shapes) + 1,
            allow_build_at_runtime=True,  # without it, saving loses the outputs' names; see _finish
        )
        self._plan = plan

    def _run_conversion(self, meta_graph_def: Any) -> Any:
        _hold(meta_graph_def, self._plan.exclude)
        converted = super()._run_conversion(meta_graph_def)
        return self._in_half(meta_graph_def, converted) if self._plan.half else converted

    def _in_half(self, meta: Any, converted: Any) -> Any:
        """Engines in FP16 of what was left alone for its precision only, be it a single operation."""
        meta.graph_def.CopyFrom(converted)
        meta.collection_def[_EVERY_NODE].Clear()
        _hold(meta, (node.name for node in converted.node if node.name not in self._plan.half and node.op != "Const"))
        whole = self._conversion_params
        self._conversion_params = whole._replace(precision_mode="FP16", minimum_segment_size=1)
        try:
            return super()._run_conversion(meta)
        finally:
            self._conversion_params = whole

    def _for_each_trt_node(self, graph_def: Any, apply: Callable[[Any], None]) -> None:
        """Ranges are asked of engines in INT8 only: the others have none, and being asked ends the process."""
        ranges = apply is trt_convert._save_calibration_table
        super()._for_each_trt_node(graph_def, lambda node: None if ranges and not _is_int8(node) else apply(node))

    @property
    def graph_def(self) -> Any:
        """The converted graph."""
        return self._converted_graph_def


def _is_int8(node: Any) -> bool:
    return bool(node.attr["precision_mode"].s.upper() == b"INT8")


def _hold(meta: Any, names: Iterable[str]) -> None:
    meta.collection_def[_EVERY_NODE].node_list.value.extend(f"{name}:0" for name in names)


class Conversion:
    """One SavedModel on its way to engines."""

    def __init__(self, source: Path, plan: Plan) -> None:
        """Read the graph; its weights must be constants."""
        self._source, self._plan = source, plan
        self._draw = np.random.default_rng(0)
        self._batches = 0

    @cached_property
    def _graph(self) -> graphs.Graph:
        return graphs.read(self._source)

    def run(self, target: Path) -> None:
        """Find the segments, calibrate, build the engines, save."""
        converter = Converter(self._source, self._graph.key, self._plan)
        tell(0, len(self._plan.shapes), "finding what TensorRT takes")
        if self._plan.calibration is None:
            converter.convert()
        else:
            converter.convert(calibration_input_fn=self._calibration)
        converter.build(self._examples)
        tell(len(self._plan.shapes), len(self._plan.shapes), "saving the engines")
        self._describe(converter.graph_def, target)
        converter.save(str(target))
        self._finish(target)

    def _examples(self) -> Iterator[dict[str, Any]]:
        """Something of every shape that engines are built for."""
        shapes = self._plan.shapes  # from small to large: an engine is built only where none takes as much
        for number, each in enumerate(shapes):
            words = ", ".join("x".join(map(str, shape)) for shape in each.values())
            tell(number, len(shapes), f"building for {words}")
            yield {name: self._drawn(name, shape) for name, shape in each.items()}
        tell(len(shapes), len(shapes), "building")

    def _drawn(self, name: str, shape: tuple[int, ...]) -> Any:
        dtype = tf.as_dtype(self._graph.signature.inputs[name].dtype)
        if dtype.is_floating:
            return self._draw.random(shape).astype(dtype.as_numpy_dtype)
        return self._draw.integers(0, 2 if dtype == tf.bool else 128, shape).astype(dtype.as_numpy_dtype)

    def _calibration(self) -> Iterator[dict[str, Any]]:
        assert self._plan.calibration is not None
        found = calibrating.batches(self._graph, self._plan.calibration, self._plan.shapes[-1])
        self._batches = len(found)
        for number, batch in enumerate(found):
            tell(number, len(found), "calibrating")
            yield batch

    def _describe(self, converted: Any, target: Path) -> None:
        """Say beside the target what became of the graph."""
        inputs = self._graph.signature.inputs
        shapes = {graphs.node_name(inputs[name].name): shape for name, shape in self._plan.shapes[0].items()}
        found = replace(segments.describe(converted, shapes), calibration_batches=self._batches)
        segments.described(target).write_bytes(TypeAdapter(segments.Segments).dump_json(found))

    def _finish(self, target: Path) -> None:
        """Forbid building while requests wait, and give the signature its own shapes and method name back."""
        path = target / "saved_model.pb"
        saved = SavedModel.FromString(path.read_bytes())
        (meta,) = saved.meta_graphs
        for node in segments.engine_nodes(meta.graph_def):
            node.attr["_allow_build_at_runtime"].b = False
        rename_engines(meta.graph_def, uuid4().hex[:8])
        written, declared = meta.signature_def[self._graph.key], self._graph.signature
        for mine, theirs in ((declared.inputs, written.inputs), (declared.outputs, written.outputs)):
            for name in mine.keys() & theirs.keys():
                theirs[name].tensor_shape.CopyFrom(mine[name].tensor_shape)
        written.method_name = declared.method_name
        path.write_bytes(saved.SerializeToString())


def tell(done: int, total: int, words: str) -> None:
    """One line of progress."""
    print(json.dumps({"done": done, "total": total, "words": words}), flush=True)


def main(source: str, target: str, plan: str) -> None:
    """Convert one SavedModel."""
    told = Plan.from_json(Path(plan).read_text(encoding="utf-8"))
    if told.gpu_memory_mib:
        (gpu, *_) = tf.config.list_physical_devices("GPU")
        limit = tf.config.LogicalDeviceConfiguration(memory_limit=told.gpu_memory_mib)
        tf.config.set_logical_device_configuration(gpu, [limit])
    Conversion(Path(source), told).run(Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
