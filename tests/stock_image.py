"""A local image and a program that keep to the stock server's contract, with the embedded server inside."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGE = "tf-serving-suite-test:2.17.1"
PACKAGES = ("model_config", "evaluation", "converters", "serving", "clients", "demo", "training")

# word for word what the stock image's entrypoint does
_ENTRYPOINT = """#!/bin/bash
tensorflow_model_server --port=8500 --rest_api_port=8501 \\
  --model_name=${MODEL_NAME} --model_base_path=${MODEL_BASE_PATH}/${MODEL_NAME} "$@"
"""
_PROGRAM = f"""#!/bin/sh
exec {sys.executable} -m serving.embedded --host=${{EMBEDDED_HOST:-0.0.0.0}} "$@"
"""
_ENVIRONMENT = {
    "PATH": "/opt/stock/bin:/usr/local/bin:/usr/bin:/bin",
    "MODEL_NAME": "model",
    "MODEL_BASE_PATH": "/models",
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
}


def program(folder: Path) -> Path:
    """A ``tensorflow_model_server`` in a folder for the PATH."""
    path = folder / "tensorflow_model_server"
    path.write_text(_PROGRAM)
    path.chmod(0o755)
    return path


def build() -> None:
    """Import the image: a few scripts, as the machine's own programs and libraries are mounted into it."""
    changes = [f"ENV {name}={value}" for name, value in _ENVIRONMENT.items()]
    changes += ['ENTRYPOINT ["/opt/stock/bin/tf_serving_entrypoint.sh"]', "EXPOSE 8500", "EXPOSE 8501"]
    options = [part for change in changes for part in ("--change", change)]
    command = ["docker", "import", *options, "-", IMAGE]
    subprocess.run(command, input=root(), check=True, capture_output=True, timeout=120)


def mounts() -> list[str]:
    """The arguments for ``docker run`` that share this machine's programs, Python and packages with the container."""
    shared = {Path("/usr"), Path(sys.prefix), Path(sys.base_prefix), ROOT}
    outermost = [path for path in shared if not any(other in path.parents for other in shared)]
    return [f"--mount=type=bind,source={path},target={path},readonly" for path in outermost]


def why_no_engine() -> str:
    """Why no container can be run here; empty when one can."""
    if not shutil.which("docker"):
        return "there is no docker here"
    asked = subprocess.run(["docker", "version"], capture_output=True, text=True, timeout=60, check=False)
    if asked.returncode:
        return f"no docker engine answers at {os.environ.get('DOCKER_HOST', 'its usual place')}"
    return ""


def root() -> bytes:
    """The root file system as a tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in ("opt/stock/bin", "models", "sbin", "tmp", "etc", "usr", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for link in ("bin", "lib", "lib64"):
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{link}"
            tar.addfile(entry)
        for name, text in (("tf_serving_entrypoint.sh", _ENTRYPOINT), ("tensorflow_model_server", _PROGRAM)):
            _add(tar, f"opt/stock/bin/{name}", text.encode(), 0o755)
        for name in ("passwd", "group", "ld.so.cache"):
            _add(tar, f"etc/{name}", Path("/etc", name).read_bytes(), 0o644)
    return packed.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
