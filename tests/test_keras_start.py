"""Keras does not load scikit-learn where nothing of ours asks for it; whoever asks still gets it."""

from __future__ import annotations

import subprocess
import sys

import keras
import pytest

_STARTED = """
import sys
import {package}
import tensorflow
assert "sklearn" not in sys.modules, "loaded by Keras"
import keras
from sklearn.metrics import roc_auc_score
assert roc_auc_score([0, 1], [0.1, 0.9]) == 1
"""


@pytest.mark.skipif(keras.__version__.startswith("2."), reason="Keras 2 has no such wrappers")
@pytest.mark.parametrize("package", ["converters.build", "serving.embedded"])
def test_it_is_loaded_by_who_wants_it_only(package):
    done = subprocess.run([sys.executable, "-c", _STARTED.format(package=package)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
