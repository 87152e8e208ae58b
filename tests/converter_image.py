"""The converter image on a base made here: a shell, this Python and what they load, without a package to fetch."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

import stock_image

IMAGE = "tf-serving-suite-test-converter:2.17.1-gpu"

_BASE = "tf-serving-suite-test-base:2.17.1-gpu"
_CONTEXT = ("pyproject.toml", "README.md", "LICENSE", *(f"{name}/" for name in stock_image.PACKAGES))
_LIBRARY = Path(sysconfig.get_path("stdlib"))
_LEFT_OUT = {
    "test",
    "tests",
    "site-packages",
    "dist-packages",
    "__pycache__",
    "ensurepip",
    "idlelib",
    "tkinter",
    "lib2to3",
}


def build(folder: Path) -> None:
    """Every step of the Dockerfile, with a lock that locks nothing, as packages would have to be fetched."""
    command = ["docker", "import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", "-", _BASE]
    subprocess.run(command, input=_root(), check=True, capture_output=True, timeout=120)
    for name in _CONTEXT:
        source = stock_image.ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / name)
    (folder / "requirements.lock").write_text("")
    dockerfile = stock_image.ROOT / "docker" / "converter.Dockerfile"
    arguments = ["--build-arg", f"BASE={_BASE}", "--build-arg", f"PYTHON={_BASE}", "--network", "none"]
    command = ["docker", "build", "--file", str(dockerfile), "--tag", IMAGE, *arguments, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def options() -> list[str]:
    """For ``docker run``: this machine's programs and packages take the place of those that are not in the image."""
    checkout = f"target={stock_image.ROOT},"  # is mounted anyway
    path = f"--env=PATH={sys.prefix}/bin:/usr/bin:/bin"
    return [*(each for each in stock_image.mounts() if checkout not in each), path]


def _root() -> bytes:
    packed = io.BytesIO(stock_image.root())
    with tarfile.open(fileobj=packed, mode="a") as tar:
        for path, name in dict(_files()).items():
            tar.add(path.resolve(), name, filter=_wanted if path.name == _LIBRARY.name else _by_root)
    return packed.getvalue()


def _files() -> Iterator[tuple[Path, str]]:
    """What goes into the base, with its place there."""
    python, place = Path(sys.executable).resolve(), f"usr/local/lib/{_LIBRARY.name}"
    yield python, "usr/local/bin/python"
    yield _LIBRARY, place
    installed = Path(sysconfig.get_path("purelib"))
    for path in (*installed.glob("pip*"), *installed.glob("setuptools*"), *installed.glob("_distutils_hack*")):
        yield path, f"{place}/site-packages/{path.name}"
    shell = Path("/bin/sh")
    yield shell, "usr/bin/sh"
    for binary in (python, shell, *(_LIBRARY / "lib-dynload").glob("*.so")):
        for path in _loaded_by(binary):
            yield path, f"usr/local/lib/{path.name}" if path.is_relative_to(sys.base_prefix) else _place(path)


def _loaded_by(binary: Path) -> list[Path]:
    told = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
    return [Path(each) for each in re.findall(r"(/\S+) \(0x", told)]


def _place(path: Path) -> str:
    """The folders of libraries are links to those in /usr."""
    return str(path if path.is_relative_to("/usr") else Path("/usr", *path.parts[1:])).lstrip("/")


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    unused = _LEFT_OUT & set(Path(entry.name).parts) or Path(entry.name).suffix == ".a"
    return None if unused else _by_root(entry)


def _by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry
