"""Embedded servers over the conformance suite's models, and questions to them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import numpy as np

from clients.client import predict_request
from serving.conformance import running, settings, target

X = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
A, B = np.array([3, 4], np.int32), np.array([1, 2], np.int32)


@contextmanager
def served(made, folder, setting):
    """An embedded server in a setting of the conformance suite."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
    flags = settings.SETTINGS[setting](folder)
    with target.started(running.EMBEDDED, flags, folder, folder / "server.log") as found:
        yield found


def all_available(client):
    return {(state.version, state.state) for state in client.status("dense")} == {(1, "AVAILABLE"), (2, "AVAILABLE")}


def dense(inputs=None, **options):
    return predict_request("dense", {"x": X} if inputs is None else inputs, **options)
