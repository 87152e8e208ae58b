"""A version's folder looked at before it is loaded, for what the stock server's loader says of damaged ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from serving.embedded import refusals


def require(folder: Path, tags: Sequence[str]) -> None:
    """Refuse a folder without a SavedModel, one that cannot be read, and one without a graph of these tags."""
    saved = saved_model_pb2.SavedModel()
    binary, text = folder / "saved_model.pb", folder / "saved_model.pbtxt"
    try:
        if binary.exists():
            saved.ParseFromString(binary.read_bytes())
        else:
            text_format.Parse(text.read_text(encoding="utf-8"), saved)
    except FileNotFoundError:
        raise refusals.not_found(
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {folder}. "
            "Check that the directory exists and that you have the right permissions for accessing it."
        ) from None
    except (DecodeError, text_format.ParseError, UnicodeDecodeError):
        raise refusals.Refusal(grpc.StatusCode.OUT_OF_RANGE, "Read less bytes than requested") from None
    _require_tags(saved, tags)


def _require_tags(saved: saved_model_pb2.SavedModel, tags: Sequence[str]) -> None:
    if not any(set(tags) == set(graph.meta_info_def.tags) for graph in saved.meta_graphs):
        raise refusals.not_found(
            f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. "
            "To inspect available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
        )
