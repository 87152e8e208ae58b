"""The stock server as a program on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess

from model_config import gpu
from model_config.fit import Facts
from serving.address import EVERYWHERE
from serving.backends.launch import PROGRAM, Argv, Launch, Seen, library_version, resident_bytes

_ASK_S = 30.0


class Binary:
    """``tensorflow_model_server`` as a child process."""

    reason = f"{PROGRAM} is on the PATH"

    def unfit(self) -> str:
        """The program is not on the PATH."""
        return "" if shutil.which(PROGRAM) else f"there is no {PROGRAM} on the PATH; install it, or use another backend"

    def seen(self, launch: Launch) -> Seen:
        """Everything is where it is."""
        return Seen(str(launch.repository), str(launch.bundle))

    def facts(self, image: str) -> Facts:
        """Of the program and of this machine."""
        found = gpu.first()
        onednn = False if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else None
        return Facts(PROGRAM, tensorflow=_version(), gpu=found.name, driver=found.driver, onednn=onednn)

    def prepare(self, launch: Launch) -> None:
        """Nothing is to be done before."""

    def argv(self, launch: Launch, flags: Argv) -> Argv:
        """The program with the stock flags."""
        return (PROGRAM, *launch.port_flags, *flags, *launch.flags)

    def clean_up(self, launch: Launch) -> Argv:
        """The process is all there is."""
        return ()

    def listens_on(self, launch: Launch) -> str:
        """It knows no flag for an address."""
        return EVERYWHERE

    def memory_bytes(self, pid: int, port: int) -> int | None:
        """Of the one process."""
        return resident_bytes(pid)


def _version() -> str | None:
    """The TensorFlow it was made of; None when it does not say."""
    try:
        told = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return library_version(told.stdout + told.stderr)
