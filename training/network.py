"""ResNet-50 v2 with one output a finding, and the weights that it starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from model_config.errors import BadSource
from training.findings import FINDINGS

Tensor = Any  # TensorFlow has no types of its own

NONE, IMAGENET = "none", "imagenet"
# units of each of its four blocks
_UNITS: Final = (3, 4, 6, 3)
_SLIM: Final = "resnet_v2_50/"


def network(size: int, weights: str) -> Any:
    """Pictures [batch, size, size, 3] from 0 to 255 in; logits [batch, findings] out.

    Args:
        weights: ``none``; ``imagenet``, which Keras fetches; an HDF5 file as Keras applications have it; or the
            prefix of a checkpoint of TF-Slim's resnet_v2_50.

    Raises:
        BadSource: the weights are not those of this network.
    """
    backbone = tf.keras.applications.ResNet50V2(
        include_top=False, weights=IMAGENET if weights == IMAGENET else None, input_shape=(size, size, 3), pooling="avg"
    )
    if weights not in (NONE, IMAGENET):
        _load(backbone, Path(weights))
    pictures = tf.keras.Input((size, size, 3))
    prepared = tf.keras.layers.Rescaling(1 / 127.5, offset=-1)(pictures)
    logits = tf.keras.layers.Dense(len(FINDINGS), name="findings")(backbone(prepared))
    return tf.keras.Model(pictures, logits)


def backbone_of(model: Any) -> Any:
    """The part that came with weights."""
    return next(layer for layer in model.layers if isinstance(layer, tf.keras.Model))


def _load(backbone: Any, path: Path) -> None:
    if not path.exists() and not path.with_name(f"{path.name}.index").exists():
        raise BadSource(f"there are no weights at {path}; fetch some with: make fetch MODEL=chexnet OPTIONS=--no-data")
    try:
        if path.suffix == ".h5":
            backbone.load_weights(str(path))
        else:
            _load_slim(backbone, path)
    except (ValueError, OSError, KeyError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadSource(f"{path} does not hold the weights of ResNet-50 v2 without its top: {reason}") from error


def _load_slim(backbone: Any, prefix: Path) -> None:
    """Fill the layers from TF-Slim's variables: the same network but for the padding of its first pooling."""
    reader = tf.train.load_checkpoint(str(prefix))
    for layer, scope, parts in _pairs(backbone):
        backbone.get_layer(layer).set_weights([reader.get_tensor(f"{_SLIM}{scope}/{part}") for part in parts])


_CONVOLUTION, _BIASED = ("weights",), ("weights", "biases")
_NORM: Final = ("gamma", "beta", "moving_mean", "moving_variance")


def _pairs(backbone: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """A layer of Keras's, its scope at TF-Slim, and the variables there."""
    yield "conv1_conv", "conv1", _BIASED
    there = {layer.name for layer in backbone.layers}
    for block, units in enumerate(_UNITS, 1):
        for unit in range(1, units + 1):
            ours, slim = f"conv{block + 1}_block{unit}", f"block{block}/unit_{unit}/bottleneck_v2"
            yield f"{ours}_preact_bn", f"{slim}/preact", _NORM
            if f"{ours}_0_conv" in there:
                yield f"{ours}_0_conv", f"{slim}/shortcut", _BIASED
            for number in (1, 2):
                yield f"{ours}_{number}_conv", f"{slim}/conv{number}", _CONVOLUTION
                yield f"{ours}_{number}_bn", f"{slim}/conv{number}/BatchNorm", _NORM
            yield f"{ours}_3_conv", f"{slim}/conv3", _BIASED
    yield "post_bn", "postnorm", _NORM
