"""How requests are put together to batches, as the stock server's batching parameters say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from model_config import base_path
from serving.embedded import files, refusals
from serving.embedded.flag_files_pb2 import BatchingParameters


@dataclass(frozen=True)
class Batching:
    """BatchingParameters with the stock server's own values for what they leave out.

    Attributes:
        max_size: rows of a batch at most.
        timeout_s: how long the first request of a batch waits for others.
        max_enqueued: batches that may wait, the one that still grows among them.
        threads: batches that are computed at a time.
    thread_pool_name: what the time in the queue is counted under.
        allowed_sizes: a batch is filled up to the next of these; empty: it stays as it is.
        pad_inputs: tensors of a batch that differ in other dimensions are filled up, each with its own first value.
    """

    max_size: int = 1000
    timeout_s: float = 0.0
    max_enqueued: int = 10
    threads: int = os.cpu_count() or 1
    thread_pool_name: str = "model_server_batch_threads"
    allowed_sizes: tuple[int, ...] = ()
    pad_inputs: bool = False

    def padded(self, rows: int) -> int:
        """The rows a batch is filled up to."""
        return next((size for size in self.allowed_sizes if size >= rows), rows)


def read(path: Path) -> Batching:
    """Read a file of BatchingParameters; Refusal says what is wrong with it."""
    return of(files.read(path, BatchingParameters()), path)


def of(given: BatchingParameters, path: Path) -> Batching:
    """The same from the message, which the file at ``path`` holds."""
    standard = Batching()
    values = {
        "max_size": given.max_batch_size.value if given.HasField("max_batch_size") else standard.max_size,
        "max_enqueued": (
            given.max_enqueued_batches.value if given.HasField("max_enqueued_batches") else standard.max_enqueued
        ),
        "threads": given.num_batch_threads.value if given.HasField("num_batch_threads") else standard.threads,
    }
    for name, value in values.items():
        if value < 1:
            raise refusals.invalid(f"{name} must be positive; was {value}", f"mend {path}")
    allowed = tuple(given.allowed_batch_sizes)
    _require_allowed(allowed, values["max_size"], path)
    timeout_s = given.batch_timeout_micros.value / 1e6
    return Batching(
        timeout_s=timeout_s,
        thread_pool_name=given.thread_pool_name.value,
        allowed_sizes=allowed,
        pad_inputs=given.pad_variable_length_inputs,
        **values,
    )


def of_version(folder: Path, standard: Batching) -> Batching:
    """What a version's own file says, or the standard where it has none."""
    path = folder / base_path.BATCHING
    return read(path) if path.exists() else standard


def _require_allowed(allowed: tuple[int, ...], max_size: int, path: Path) -> None:
    if any(later <= earlier for earlier, later in zip(allowed, allowed[1:])):
        raise refusals.invalid("allowed_batch_sizes entries must be monotonically increasing", f"mend {path}")
    if allowed and allowed[-1] != max_size:
        raise refusals.invalid(
            "Last entry in allowed_batch_sizes must match max_batch_size; "
            f"last entry was {allowed[-1]}; max_batch_size was {max_size}",
            f"mend {path}",
        )
