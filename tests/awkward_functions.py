"""Models of TensorFlow 2 that are awkward in practice: loops, tables and strings inside functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from awkward import ROWS, Awkward, network, numbers, weights


def _exported(folder: Path, model: Any, *specs: Any) -> Path:
    """A TensorFlow 2 SavedModel of a module's ``serve``."""
    model.serve = tf.function(model.serve, input_signature=specs)
    tf.saved_model.save(model, str(folder / "saved"), signatures=model.serve)
    return folder / "saved"


class _Loops(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(weights(3, 3, 3, 3))

    @tf.function
    def step(self, maps: Any) -> Any:
        return self.convolved(maps) + 1.0

    @tf.function
    def convolved(self, maps: Any) -> Any:
        return tf.nn.relu(tf.nn.conv2d(maps, self.kernel, 1, "SAME"))

    def serve(self, x: Any, times: Any) -> dict[str, Any]:
        kept = tf.TensorArray(tf.float32, size=times)
        for place in tf.range(times):
            x = self.step(x)
            kept = kept.write(place, tf.cond(place > 1, lambda x=x: x * 2.0, lambda x=x: x))
        return {"y": network(self.step(x)), "mean": tf.reduce_mean(kept.stack(), (2, 3, 4))}


def loops_in_functions(folder: Path) -> Awkward:
    """Control flow of TensorFlow 2: a loop, a branch, a TensorList, functions inside functions; two inputs."""
    specs = (tf.TensorSpec([None, 8, 8, 3], tf.float32, "x"), tf.TensorSpec([], tf.int32, "times"))
    examples = {"x": numbers(8, 8, 3), "times": np.full(ROWS, 3, np.int32)}
    return Awkward(_exported(folder, _Loops(), *specs), examples=examples)


class _Words(tf.Module):
    """Words to numbers by a vocabulary file, to an embedding, to classes, whose names another table knows."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        (folder / "words.txt").write_text("cat\ndog\ncow\n")
        index = tf.lookup.TextFileIndex
        rows = tf.lookup.TextFileInitializer(
            str(folder / "words.txt"), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER
        )
        self.numbers = tf.lookup.StaticHashTable(rows, 3)
        names = tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1], tf.int64), ["no", "yes"])
        self.names = tf.lookup.StaticHashTable(names, "?")
        self.embedding = tf.Variable(weights(4, 32))
        self.dense = tf.Variable(weights(32, 64))

    def serve(self, words: Any) -> dict[str, Any]:
        rows = tf.nn.relu(tf.gather(self.embedding, self.numbers.lookup(words)) @ self.dense)
        return {"rows": rows, "name": self.names.lookup(tf.argmax(rows, 1) % 2)}


def tables_in_functions(folder: Path) -> Awkward:
    """A TensorFlow 2 SavedModel with two tables, one of them from a file."""
    path = _exported(folder, _Words(folder), tf.TensorSpec([None], tf.string, "words"))
    (folder / "words.txt").unlink()
    return Awkward(path, examples={"words": np.array(["dog", "cat", "cow", "bee"] * 2)})


def keras_lookup(folder: Path) -> Awkward:
    """Keras's own layer that turns words into numbers."""
    import keras

    words = keras.Input((1,), dtype="string", name="words")
    numbers = keras.layers.StringLookup(vocabulary=["cat", "dog", "cow"])(words)
    flat = keras.layers.Flatten()(keras.layers.Embedding(4, 32)(numbers))
    model = keras.Model(words, keras.layers.Dense(48, name="y")(flat))
    model.export(str(folder / "saved"))
    return Awkward(folder / "saved", examples={"words": np.array([["dog"], ["cat"], ["cow"], ["bee"]] * 2)})


class _Learnt(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 3)
        self.numbers.insert(tf.constant(["cat", "dog", "cow"]), tf.constant([2, 1, 0], tf.int64))
        self.embedding = tf.Variable(weights(4, 48))

    def serve(self, words: Any) -> dict[str, Any]:
        return {"y": tf.gather(self.embedding, self.numbers.lookup(words))}


def learnt_words(folder: Path) -> Awkward:
    """A table that training filled, and whose content is in the checkpoint."""
    path = _exported(folder, _Learnt(), tf.TensorSpec([None], tf.string, "words"))
    return Awkward(path, examples={"words": np.array(["dog", "cat", "cow", "bee"] * 2)})


class _Encoded(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = tf.Variable(1.0)

    def picture(self, content: Any) -> Any:
        pixels = tf.io.decode_jpeg(content, channels=3)
        return tf.image.resize(tf.cast(pixels, tf.float32), (24, 24)) / 127.5 - 1.0

    def serve(self, content: Any) -> dict[str, Any]:
        pixels = tf.map_fn(self.picture, content, fn_output_signature=tf.float32)
        return {"y": network(pixels * self.gain)}


def encoded_pictures(folder: Path) -> Awkward:
    """Strings that are JPEG files."""
    return Awkward(_exported(folder, _Encoded(), tf.TensorSpec([None], tf.string, "content")))


class _Examples(_Encoded):
    def serve(self, content: Any) -> dict[str, Any]:
        features = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
        return super().serve(tf.io.parse_example(content, features)["image/encoded"])


def examples_with_pictures(folder: Path) -> Awkward:
    """Strings that are tf.Examples, each with a JPEG file inside."""
    return Awkward(_exported(folder, _Examples(), tf.TensorSpec([None], tf.string, "content")))


MODELS: Mapping[str, Callable[[Path], Awkward]] = {
    each.__name__: each
    for each in (
        loops_in_functions,
        tables_in_functions,
        keras_lookup,
        learnt_words,
        encoded_pictures,
        examples_with_pictures,
    )
}
