"""The versions of a real ImageNet classifier against the frozen graph it came as."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tensorflow as tf
from command_line import run_here

from converters import graphs
from model_config import base_path

NAME = "mobilenet_v2"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(material):
    """All photos that nothing was calibrated on, as the network takes them."""
    folders = (material / "data" / "cc0_detection" / "images", material / "data" / "images")
    paths = [path for folder in folders for path in sorted(folder.iterdir())]
    pixels = [cv2.resize(cv2.imread(str(path))[:, :, ::-1], (224, 224), interpolation=cv2.INTER_AREA) for path in paths]
    return (np.stack(pixels) / 127.5 - 1).astype(np.float32)


@pytest.fixture(scope="module")
def versions(material, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mobilenet")
    (folder / "models.yaml").write_text(f"""
models:
  {NAME}:
    source: {material}/models/mobilenet_v2_imagenet/mobilenet_v2_1.0_224_frozen.pb
    versions: {{1: original, 2: quantized_weights, 3: quantized_nodes}}
    calibration: {{path: {material}/data/coco_calibration, pixels: [-1, 1]}}
""")
    done = run_here("converters", "build", NAME, "--models", folder / "models.yaml", "--repository", folder / "models")
    assert done.returncode == 0, done.stderr
    return base_path.scan(folder / "models", NAME)


def answers(version, photos):
    graph = graphs.read(version.path)
    with tf.compat.v1.Session(graph=graphs.imported(graph.graph_def)) as session:
        feeds = ({graph.input_tensors[0]: photo[None]} for photo in photos)
        return np.concatenate([session.run(graph.output_tensors[0], feed) for feed in feeds])


@pytest.fixture(scope="module")
def classes(versions, photos):
    return {number: answers(version, photos).argmax(1) for number, version in versions.items()}


@pytest.mark.parametrize(("number", "part"), [(2, 0.28), (3, 0.34)])
def test_it_is_small(versions, number, part):
    assert versions[number].size_bytes <= part * versions[1].size_bytes


@pytest.mark.parametrize(("number", "share"), [(2, 0.98), (3, 0.97)])
def test_it_mostly_says_what_the_float_model_says(classes, number, share):
    assert (classes[number] == classes[1]).mean() >= share
