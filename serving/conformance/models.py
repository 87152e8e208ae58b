"""Small models to ask a server about, whose right answers are known."""

# TensorFlow ships no types, and these models are its subclasses
# mypy: disable-error-code="misc,untyped-decorator"

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

v1 = tf.compat.v1
WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")


def make(folder: Path) -> None:
    """Write all of them, one base path each."""
    v1.logging.set_verbosity(v1.logging.ERROR)
    save_dense(folder / "dense" / "1", [0.5, -0.5])
    save_dense(folder / "dense" / "2", [1.0, -1.0])
    _save_slow(folder / "slow" / "1")
    _save_half_plus_two(folder / "half_plus_two" / "123", load_s=0.0)
    _save_half_plus_two(folder / "slowload" / "1", load_s=4.0)
    save_dense(folder / "warm" / "1", [0.0, 0.0])
    _record_warm_up(folder / "warm" / "1", "x")
    save_dense(folder / "badly_warmed" / "1", [0.0, 0.0])
    _record_warm_up(folder / "badly_warmed" / "1", "no_such_input")


class _Dense(tf.Module):
    def __init__(self, bias: list[float]) -> None:
        super().__init__()
        self.weights = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        self.bias = tf.Variable(bias)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def dense(self, x: Any) -> dict[str, Any]:
        return {"y": x @ self.weights + self.bias}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name=name) for name in "ab"])
    def add(self, a: Any, b: Any) -> dict[str, Any]:
        return {"sum": a + b, "diff": a - b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="s")])
    def slen(self, s: Any) -> dict[str, Any]:
        return {"n": tf.strings.length(s), "echo": s}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
    def rows(self, x: Any) -> dict[str, Any]:
        """How many rows were computed together, and the sum of each."""
        return {"rows": tf.fill([tf.shape(x)[0]], tf.shape(x)[0]), "sum": tf.reduce_sum(x, 1)}


def save_dense(folder: Path, bias: list[float]) -> None:
    """Write three small signatures and one that tells how many rows came together."""
    model = _Dense(bias)
    signatures = {"serving_default": model.dense, "add": model.add, "slen": model.slen, "rows": model.rows}
    tf.saved_model.save(model, str(folder), signatures=signatures)


def _after(seconds: float) -> Any:
    """A tensor that is there when so much time has passed; there is no operation that only waits."""
    end = tf.timestamp() + seconds
    return tf.while_loop(lambda now: now < end, lambda now: [tf.timestamp()], [tf.timestamp()])


class _Slow(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def slow(self, x: Any) -> dict[str, Any]:
        with tf.control_dependencies(_after(1.0)):
            return {"y": tf.identity(x)}


def _save_slow(folder: Path) -> None:
    model = _Slow()
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.slow})


def _save_half_plus_two(folder: Path, load_s: float) -> None:
    """y = x / 2 + 2 with the signatures of TensorFlow Serving's own test model."""
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        x, x2 = (tf.identity(each, name=name) for each, name in zip(_parsed(examples), ("x", "x2")))
        half = v1.get_variable("a", initializer=0.5, use_resource=False)
        y, y3 = (tf.add(half * each, plus, name=name) for each, plus, name in ((x, 2.0, "y"), (x2, 3.0, "y3")))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={
                "serving_default": _signature({"x": x}, {"y": y}, "predict"),
                "classify_x_to_y": _signature({"inputs": examples}, {"scores": y}, "classify"),
                "regress_x_to_y": _signature({"inputs": examples}, {"outputs": y}, "regress"),
                "regress_x2_to_y3": _signature({"inputs": examples}, {"outputs": y3}, "regress"),
            },
            main_op=tf.group(*_after(load_s)) if load_s else None,
        )
        builder.save()


def _parsed(examples: Any) -> Any:
    """x, which an example must have, and x2, which is 0 unless it says otherwise."""
    # the operation of that model's days: its name is in what the server says
    with tf.name_scope("ParseExample"):
        return tf.raw_ops.ParseExample(
            serialized=examples,
            names=tf.constant([], tf.string),
            sparse_keys=[],
            dense_keys=["x", "x2"],
            dense_defaults=[tf.constant([], tf.float32), [0.0]],
            sparse_types=[],
            dense_shapes=[[1], [1]],
        ).dense_values


def _signature(inputs: dict[str, Any], outputs: dict[str, Any], method: str) -> Any:
    infos = [
        {name: v1.saved_model.build_tensor_info(each) for name, each in side.items()} for side in (inputs, outputs)
    ]
    return v1.saved_model.build_signature_def(*infos, f"tensorflow/serving/{method}")


def _record_warm_up(folder: Path, input_name: str) -> None:
    log = PredictionLog()
    log.predict_log.request.model_spec.name = "warm"
    log.predict_log.request.inputs[input_name].CopyFrom(tf.make_tensor_proto([[1.0, 2.0, 3.0]]))
    path = folder / WARM_UP
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())


if __name__ == "__main__":
    import sys

    make(Path(sys.argv[1]))
