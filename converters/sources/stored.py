"""What a checkpoint's index says of its variables, read without the values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import tensorflow as tf

from model_config.errors import BadSource

# written by tf.train.Checkpoint beside the variables
_BOOKKEEPING: Final = ("_CHECKPOINTABLE_OBJECT_GRAPH",)


def stored(prefix: Path) -> tuple[tuple[str, int], ...]:
    """Type and number of elements of every variable of a checkpoint; none when there is no checkpoint."""
    if not prefix.is_file() and not prefix.with_name(f"{prefix.name}.index").is_file():
        return ()
    try:
        reader = tf.train.load_checkpoint(str(prefix))
    except (ValueError, tf.errors.OpError) as error:
        raise BadSource(f"{prefix}.index is damaged: {error}; copy the whole checkpoint again") from error
    types, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
    return tuple((types[name].name, math.prod(shapes[name])) for name in sorted(shapes) if name not in _BOOKKEEPING)
