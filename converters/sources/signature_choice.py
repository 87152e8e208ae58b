"""One graph and one signature out of a SavedModel, as the passes need it; version 1 keeps all."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from converters import graphs


def narrow(folder: Path, key: str | None) -> None:
    """Leave only the graph that servers load, and of its signatures only ``key`` when one is named."""
    found = graphs.saved_model(folder, outline=True)
    meta = graphs.meta_graph(folder, outline=True)
    others = [each for each in meta.signature_def if key is not None and each != graphs.signature_def(meta, key)[0]]
    if len(found.meta_graphs) == 1 and not others:
        return
    found, meta = graphs.saved_model(folder), graphs.meta_graph(folder)
    for each in others:
        del meta.signature_def[each]
    _rewrite(folder, found, meta)


def retag(folder: Path, tags: Collection[str]) -> None:
    """Give the graph with these tags the one that servers load, and leave the other graphs out."""
    found = graphs.saved_model(folder)
    meta = graphs.meta_graph(folder, tags)
    del meta.meta_info_def.tags[:]
    meta.meta_info_def.tags.append(graphs.SERVING_TAG)
    _rewrite(folder, found, meta)


def _rewrite(folder: Path, found: Any, meta: Any) -> None:
    del found.meta_graphs[:]
    found.meta_graphs.append(meta)
    # a fingerprint is of the bytes that were there before
    for name in (*graphs.SAVED_MODEL_FILES, "fingerprint.pb"):
        (folder / name).unlink(missing_ok=True)
    (folder / "saved_model.pb").write_bytes(found.SerializeToString())
