"""A checkpoint with its metagraph as FaceNet's training leaves it, only smaller, and faces to ask it about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1

SIZE, WIDTH, LENGTH, SUBJECTS = 160, 8, 16, 12
NAME = "20180408-102900"


def _norm(maps: Any, training: Any) -> Any:
    """Batch norm as TF-Slim's: two operations, of which the switch takes one, and averages that move in training."""
    width = maps.shape[-1]
    beta = tf1.get_variable("beta", [width], initializer=tf1.random_normal_initializer(stddev=0.1))
    mean = tf1.get_variable("moving_mean", [width], trainable=False, initializer=tf1.zeros_initializer())
    variance = tf1.get_variable("moving_variance", [width], trainable=False, initializer=tf1.ones_initializer())
    scale = tf.ones([width])
    normed, now, spread = tf1.cond(
        training,
        lambda: tf1.nn.fused_batch_norm(maps, scale, beta, epsilon=1e-3, is_training=True),
        lambda: tf1.nn.fused_batch_norm(maps, scale, beta, mean, variance, epsilon=1e-3, is_training=False),
    )
    for average, value in ((mean, now), (variance, spread)):
        update = tf1.assign_sub(average, 0.01 * (average - value))
        tf1.add_to_collection(tf1.GraphKeys.UPDATE_OPS, update)
    return normed


def _convolve(name: str, maps: Any, width: int, size: Any, stride: int, training: Any) -> Any:
    with tf1.variable_scope(name):
        height, breadth = (size, size) if isinstance(size, int) else size
        start = tf1.variance_scaling_initializer(2.0)
        weights = tf1.get_variable("weights", [height, breadth, maps.shape[-1], width], initializer=start)
        return tf.nn.relu(_norm(tf.nn.conv2d(maps, weights, stride, "SAME"), training))


def _block(name: str, maps: Any, training: Any) -> Any:
    """A residual Inception block: two branches, put together and added in part."""
    with tf1.variable_scope(name):
        first = _convolve("branch_0", maps, WIDTH, 1, 1, training)
        second = _convolve("branch_1a", maps, WIDTH, 1, 1, training)
        second = _convolve("branch_1b", second, WIDTH, (1, 7), 1, training)
        second = _convolve("branch_1c", second, WIDTH, (7, 1), 1, training)
        weights = tf1.get_variable("up", [1, 1, 2 * WIDTH, maps.shape[-1]])
        return tf.nn.relu(maps + 0.17 * tf.nn.conv2d(tf.concat([first, second], 3), weights, 1, "SAME"))


def _network(pictures: Any, training: Any) -> Any:
    with tf1.variable_scope("InceptionResnetV1"):
        maps = pictures
        for stage in range(4):
            maps = _convolve(f"stem_{stage}", maps, WIDTH * (1 + stage // 2), 3, 2, training)
        maps = _block("block17_1", maps, training)
        pooled = tf.nn.max_pool2d(maps, 3, 2, "VALID")
        maps = tf.concat([pooled, _convolve("reduction", maps, WIDTH, 3, 2, training)[:, :-1, :-1]], 3)
        features = tf.reduce_mean(maps, [1, 2])
        features = tf1.cond(training, lambda: tf.nn.dropout(features, rate=0.2), lambda: features)
        with tf1.variable_scope("Bottleneck"):
            weights = tf1.get_variable("weights", [features.shape[-1], LENGTH])
            return _norm((features @ weights)[:, None, None], training)[:, 0, 0]


def _build() -> None:
    """The whole training graph: queue, network, loss, optimizer with its slots, averages of the weights."""
    tf1.set_random_seed(21)
    tf1.placeholder(tf.int32, name="batch_size")
    training = tf1.placeholder(tf.bool, [], name="phase_train")
    queue = tf1.FIFOQueue(10, [tf.float32, tf.int64], [[SIZE, SIZE, 3], []], name="batch_join/fifo_queue")
    pictures, labels = queue.dequeue_up_to(4, name="batch_join")
    image_batch = tf.identity(tf.identity(pictures, "image_batch"), "input")
    vectors = _network(image_batch, training)
    tf.nn.l2_normalize(vectors, 1, 1e-10, name="embeddings")
    weights = tf1.get_variable("Logits/weights", [LENGTH, SUBJECTS])
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, vectors @ weights))
    tf1.summary.scalar("loss", loss)
    with tf1.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
        step = tf1.train.AdamOptimizer().minimize(loss, tf1.train.get_or_create_global_step())
    with tf1.control_dependencies([step]):
        tf1.train.ExponentialMovingAverage(0.9999).apply(tf1.trainable_variables())


def save(folder: Path, asked: Any) -> Any:
    """Write the checkpoint's files; gives the embeddings of ``asked`` [batch, 160, 160, 3]."""
    folder.mkdir(parents=True)
    tf1.disable_control_flow_v2()  # such checkpoints are older than it
    try:
        with tf.Graph().as_default(), tf1.Session() as session:
            _build()
            session.run(tf1.global_variables_initializer())
            prefix = str(folder / f"model-{NAME}.ckpt")
            tf1.train.Saver().save(session, prefix, global_step=90, write_meta_graph=False, write_state=False)
            tf1.train.export_meta_graph(str(folder / f"model-{NAME}.meta"), saver_def=tf1.train.Saver().as_saver_def())
            return session.run("embeddings:0", {"input:0": asked, "phase_train:0": False})
    finally:
        tf1.enable_control_flow_v2()


def draw_faces(folder: Path, seed: int = 3) -> Path:
    """Three pictures of each subject in LFW's layout, with pairs.txt in ten folds; gives the folder."""
    rng = np.random.default_rng(seed)
    names = [f"Subject_{letter}" for letter in "ABCDEFGHIJKL"[:SUBJECTS]]
    for name in names:
        face = rng.integers(0, 256, (5, 5, 3)).astype(np.float32)
        (folder / "lfw" / name).mkdir(parents=True)
        for number in range(1, 4):
            large = cv2.resize(face, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 12, (SIZE, SIZE, 3))
            path = folder / "lfw" / name / f"{name}_{number:04}.jpg"
            cv2.imwrite(str(path), np.clip(large, 0, 255).astype(np.uint8))
    pairs = ["10\t2"]
    for fold in range(10):
        pairs += [f"{names[(fold + each) % SUBJECTS]}\t1\t{2 + each}" for each in range(2)]
        pairs += [f"{names[fold]}\t1\t{names[(fold + 1 + each) % SUBJECTS]}\t3" for each in range(2)]
    (folder / "pairs.txt").write_text("\n".join(pairs) + "\n")
    return folder
