"""Which GPU the driver is asked about: the first of those that CUDA's programs may use."""

from __future__ import annotations

import pytest

from model_config import gpu

# as the driver's program answers on a machine with two GPUs: all of them, or the one that --id names
DRIVER = """#!/bin/sh
used() { case "$1" in 0) echo 100 ;; 1) echo 2000 ;; *) echo "No devices were found"; exit 6 ;; esac; }
for word in "$@"; do case "$word" in --id=*) used "${word#--id=}"; exit ;; esac; done
used 0; used 1
"""


@pytest.fixture(autouse=True)
def driver(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text(DRIVER)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_without_a_choice_it_is_the_first():
    assert gpu.used_bytes() == 100 * 2**20


@pytest.mark.parametrize("chosen", ["1", "1,0"])
def test_a_choice_of_cuda_holds_for_the_driver_too(monkeypatch, chosen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)

    assert gpu.used_bytes() == 2000 * 2**20


@pytest.mark.parametrize("none", ["", "-1"])
def test_with_all_hidden_there_is_none(monkeypatch, none):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)

    assert gpu.used_bytes() is None
