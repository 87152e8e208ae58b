"""The docker engine, asked through its own command line."""

from __future__ import annotations

import shutil
import subprocess

_ASK_S = 20.0


def unfit() -> str:
    """No engine answers us, and why; empty when one does."""
    if not shutil.which("docker"):
        return "there is no docker on the PATH; install it, or use another backend"
    asked = ask("version", "--format", "{{.Server.Version}}")
    if asked.returncode == 0:
        return ""
    if "permission denied" in asked.stderr.lower():
        return "the docker engine refuses you; join the group docker, or run as a user that is in it"
    return f"no docker engine answers ({last_line(asked.stderr)}); start it, or use another backend"


def has(image: str) -> bool:
    """Whether an image is on this machine."""
    return ask("image", "inspect", image).returncode == 0


def ask(*arguments: str, timeout_s: float | None = _ASK_S) -> subprocess.CompletedProcess[str]:
    """Ask the engine; one that hangs counts as one that does not answer."""
    argv = ("docker", *arguments)
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(argv, 1, "", str(error))


def last_line(text: str) -> str:
    """What a failed command says at its end, which is the reason."""
    return next(reversed([line.strip() for line in text.splitlines() if line.strip()]), "it does not say why")
