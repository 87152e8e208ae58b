"""Two folders change places in one step, where the system knows how."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

# Linux: relative paths start at the working folder; both names must exist, and swap
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# an old kernel, or a file system that cannot
_UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


def exchange(one: Path, other: Path) -> bool:
    """Let two paths change places, so that neither name is ever without a folder; False where that is unknown."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))
