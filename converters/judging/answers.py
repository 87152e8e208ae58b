"""What a SavedModel answers to one example after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from converters import graphs, sessions
from converters.judging.held_out import HeldOut
from model_config.errors import BuildError

Arrays = Mapping[str, "np.ndarray[Any, Any]"]


def ask(folder: Path, key: str, held_out: HeldOut) -> Iterator[Arrays]:
    """The outputs by name, a batch of one at a time; BuildError where there is no answer.

    Args:
        key: the signature that is asked.
    """
    asked = graphs.outlined(folder, key)
    signature = asked.signature
    fetched = {name: info.name for name, info in signature.outputs.items()}
    with sessions.session(folder) as session:
        for row in held_out.rows(asked):
            fed = {signature.inputs[name].name: value for name, value in row.items()}
            try:
                yield session.run(fetched, fed)
            except tf.errors.OpError as error:
                words = str(error.message).partition("\n")[0]
                raise BuildError(f"the version does not answer what it is to be judged by ({words})") from error
