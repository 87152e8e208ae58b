"""Keeps Keras from loading scikit-learn for wrappers that nobody here uses: a second of every start of TensorFlow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_WRAPPERS, _LAST = "keras.src.wrappers", "SKLearnTransformer"


class _NotForKeras(MetaPathFinder):
    """Does not find scikit-learn while Keras 3 makes its wrappers around it, which it does without where it is not."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Leave all else, and everybody else, to the finders that follow."""
        if name == "sklearn" and _WRAPPERS in sys.modules and not hasattr(sys.modules[_WRAPPERS], _LAST):
            raise ModuleNotFoundError(f"{name} is kept from Keras", name=name)
        return None


def lighten() -> None:
    """Make the first import of TensorFlow in this process lighter; again changes nothing."""
    if not any(isinstance(each, _NotForKeras) for each in sys.meta_path):
        sys.meta_path.insert(0, _NotForKeras())
