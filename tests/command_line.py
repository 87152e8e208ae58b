"""Our command lines as a user types them, each in a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

_MAKEFILE = Path(__file__).parents[1] / "Makefile"


def run(*argv: object, timeout: float = 300, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """A command line of ours as a user types it, in a process of its own."""
    command = [sys.executable, "-m", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, **kwargs)


def run_here(*argv: object) -> subprocess.CompletedProcess[str]:
    """A command of ``converters`` in this process, which has TensorFlow loaded already: seconds less for each."""
    from converters.__main__ import main

    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main.main([str(word) for word in argv[1:]], prog_name="python -m converters")
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # which a command's end no longer hears
    return subprocess.CompletedProcess([*argv], code, out.getvalue(), err.getvalue())


def assert_one_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It failed as users should see it: one line, no traceback, with these words."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode not in (0, -11), done.stderr
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


def make(*arguments: str, cwd: Path) -> str:
    """A target as a user types it, in another folder and with the Python that runs us; gives what it printed."""
    command = ["make", "--file", str(_MAKEFILE), f"PY={sys.executable}", "DONE=", *arguments]
    # as if typed, though make may be what runs the tests
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout
