"""Ctrl-C is one sentence at any moment of a program's life."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SENTENCE = "error: interrupted; nothing half done is left, run it again when you like\n"
START = "import os, signal; from model_config import interrupts; interrupts.prepare(); "
PRESS = "os.kill(os.getpid(), signal.SIGINT); "

IMPORTING = START + PRESS
CLEANING_UP = f"""{START}
import time
class Thing:
    def __del__(self):
        {PRESS}
thing = Thing()
del thing
time.sleep(60)
"""
ENDING = f"""{START}
import threading
threading._register_atexit(lambda: [{PRESS.strip().rstrip(";")}])
with interrupts.ignored_at_the_end():
    print("done")
"""


def end(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("program", [IMPORTING, CLEANING_UP], ids=["while it starts", "while an object ends"])
def test_it_is_told_and_not_lost(program):
    assert end(program) == (-signal.SIGINT, "", SENTENCE)


def test_when_all_is_done_it_comes_too_late():
    assert end(ENDING) == (0, "done\n", "")


def test_other_errors_keep_their_traceback():
    code, _, told = end(START + "1 / 0")

    assert code == 1
    assert told.startswith("Traceback")
