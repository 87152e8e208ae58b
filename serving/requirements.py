"""What versions need of the server that runs them, beyond TensorFlow itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from model_config.base_path import Version
from model_config.errors import ServeError

ONEDNN = "onednn"
_SWITCH = "TF_ENABLE_ONEDNN_OPTS"


def environment(versions: Iterable[Version], given: Mapping[str, str]) -> dict[str, str]:
    """The environment to start a server of these versions in.

    8-bit versions load without oneDNN too, and then fail every request; on processors that do well without it
    TensorFlow leaves it off unless told.

    Raises:
        ServeError: the environment turns off what a version needs.
    """
    needing = [each for each in versions if each.manifest and ONEDNN in each.manifest.requires]
    if not needing:
        return dict(given)
    if given.get(_SWITCH) == "0":
        numbers = ", ".join(str(each.number) for each in needing)
        raise ServeError(
            f"version {numbers} computes with oneDNN, which {_SWITCH}=0 turns off; unset it, or serve another"
        )
    return {**given, _SWITCH: "1"}
