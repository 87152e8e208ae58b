"""The embedded server: TensorFlow in Python, on this machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys

from model_config import gpu
from model_config.fit import Facts
from serving.backends.launch import Argv, Launch, Seen, resident_bytes


class PythonServer:
    """``python -m serving.embedded``, which takes the stock server's flags."""

    reason = "TensorFlow is installed, and the server in Python needs no more"

    def unfit(self) -> str:
        """TensorFlow is missing."""
        if importlib.util.find_spec("tensorflow"):
            return ""
        return "TensorFlow is not installed; install it with: pip install '.[convert]'"

    def seen(self, launch: Launch) -> Seen:
        """Everything is where it is."""
        return Seen(str(launch.repository), str(launch.bundle))

    def facts(self, image: str) -> Facts:
        """Of the TensorFlow that is installed here; the oneDNN switch is in our own hands."""
        found = gpu.first()
        return Facts(
            "the embedded server",
            tensorflow=None if self.unfit() else importlib.metadata.version("tensorflow"),
            gpu=found.name,
            driver=found.driver,
            onednn=False if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else None,
        )

    def prepare(self, launch: Launch) -> None:
        """Nothing is to be done before."""

    def argv(self, launch: Launch, flags: Argv) -> Argv:
        """The same Python that runs us."""
        mine = (sys.executable, "-m", "serving.embedded", *launch.port_flags, f"--host={launch.host}")
        return (*mine, *flags, *launch.flags)

    def clean_up(self, launch: Launch) -> Argv:
        """The process is all there is."""
        return ()

    def listens_on(self, launch: Launch) -> str:
        """Where it is told to."""
        return launch.host

    def memory_bytes(self, pid: int, port: int) -> int | None:
        """Of the one process."""
        return resident_bytes(pid)
