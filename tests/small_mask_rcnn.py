"""A detector with masks that takes and gives what the TF2 zoo's Mask R-CNN does, only smaller, and scenes to ask about.

It finds the one bright block of a scene, which is red (a person) or blue (a car).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from evaluation import pictures

FOUND, PROPOSED, CLASSES, SIDE, DEPTH = 10, 30, 90, 33, 32
PERSON, CAR = 1, 3
SIZE = 256  # of what the network sees


class _MaskRcnn(tf.Module):
    """The zoo's signature; the 23 names are those of mask_rcnn_inception_resnet_v2_1024x1024_coco17."""

    def __init__(self) -> None:
        draw = tf.random.Generator.from_seed(5)
        self.kernel = tf.Variable(draw.normal([3, 3, 3, DEPTH], stddev=0.1))
        self.head = tf.Variable(draw.normal([DEPTH, CLASSES], stddev=0.01))

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, "input_tensor")])
    def __call__(self, input_tensor: Any) -> dict[str, Any]:
        resize = lambda picture: tf.image.resize(picture, [SIZE, SIZE])  # noqa: E731 - one picture at a time, as there
        seen = tf.map_fn(resize, tf.cast(input_tensor, tf.float32)) / 255.0
        maps = tf.nn.relu(tf.nn.conv2d(seen, self.kernel, 4, "SAME"))
        box, number = _found(seen[0])
        logits = tf.reduce_mean(maps, [1, 2]) @ self.head
        others = 0.02 * tf.sigmoid(logits[0, : FOUND - 1])
        scores = tf.concat([[0.9], tf.sort(others, direction="DESCENDING")], 0)
        boxes = tf.concat([box[None], tf.zeros([FOUND - 1, 4])], 0)
        classes = tf.concat([number[None], tf.ones([FOUND - 1])], 0)
        return {**_detections(boxes, classes, scores), **_inside(maps, logits, boxes)}


def _found(picture: Any) -> tuple[Any, Any]:
    """Edges of the bright block as shares of the picture, and its class."""
    bright = tf.cast(tf.reduce_max(picture, -1) > 0.6, tf.float32)
    edges = []
    for axis in (1, 0):
        places = tf.where(tf.reduce_max(bright, axis) > 0)[:, 0]
        edges.append((tf.reduce_min(places), tf.reduce_max(places) + 1))
    (top, bottom), (left, right) = edges
    colour = tf.reduce_sum(picture * bright[..., None], [0, 1])
    number = tf.where(colour[0] > colour[2], float(PERSON), float(CAR))
    return tf.cast(tf.stack([top, left, bottom, right]), tf.float32) / SIZE, number


def _detections(boxes: Any, classes: Any, scores: Any) -> dict[str, Any]:
    return {
        "detection_boxes": boxes[None],
        "detection_classes": classes[None],
        "detection_scores": scores[None],
        "detection_masks": tf.ones([1, FOUND, SIDE, SIDE]) * scores[None, :, None, None],
        "detection_anchor_indices": tf.range(FOUND, dtype=tf.float32)[None],
        "detection_multiclass_scores": tf.tile(scores[None, :, None], [1, 1, CLASSES + 1]),
        "num_detections": tf.constant([float(FOUND)]),
    }


def _inside(maps: Any, logits: Any, boxes: Any) -> dict[str, Any]:
    """What the zoo's models give away of their insides, some of it without a batch in front."""
    proposals = tf.tile(boxes[:1], [PROPOSED, 1])
    background = tf.pad(tf.tile(logits, [PROPOSED, 1]), [[0, 0], [1, 0]])
    return {
        "raw_detection_boxes": proposals[None],
        "raw_detection_scores": background[None],
        "proposal_boxes": SIZE * proposals[None],
        "proposal_boxes_normalized": proposals[None],
        "num_proposals": tf.constant([float(PROPOSED)]),
        "final_anchors": proposals[None],
        "anchors": proposals,
        "image_shape": tf.cast(tf.shape(maps), tf.float32),
        "mask_predictions": tf.zeros([FOUND, CLASSES, SIDE, SIDE]),
        "refined_box_encodings": tf.zeros([PROPOSED, CLASSES, 4]),
        "class_predictions_with_background": background,
        "box_classifier_features": tf.tile(maps[:, :9, :9], [PROPOSED, 1, 1, 1]),
        "rpn_box_encodings": tf.zeros([1, PROPOSED, 4]),
        "rpn_objectness_predictions_with_background": tf.zeros([1, PROPOSED, 2]),
        "rpn_features_to_crop": maps,
        "rpn_box_predictor_features": maps,
    }


def save(folder: Path) -> None:
    """Write it as a SavedModel."""
    module = _MaskRcnn()
    tf.saved_model.save(module, str(folder), signatures=module.__call__)


def draw_scenes(folder: Path, count: int = 8, seed: int = 6) -> None:
    """Scenes of several sizes as COCO's validation set is laid out."""
    rng = np.random.default_rng(seed)
    images, boxes = [], []
    for number in range(1, count + 1):
        height, width = (int(side) for side in rng.integers(120, 200, 2))
        scene = rng.integers(0, 90, (height, width, 3), np.uint8)
        left, top = (int(place) for place in rng.integers(5, 40, 2))
        wide, high = (int(side) for side in rng.integers(40, 70, 2))
        kind = (PERSON, CAR)[number % 2]
        scene[top : top + high, left : left + wide] = (250, 20, 20) if kind == PERSON else (20, 20, 250)
        name = f"{number:012}.png"
        pictures.write(scene, folder / "images" / name)
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        boxes.append({"id": number, "image_id": number, "category_id": kind, "bbox": [left, top, wide, high]})
    categories = [{"id": PERSON, "name": "person"}, {"id": CAR, "name": "car"}]
    index = {"images": images, "annotations": boxes, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(index))
