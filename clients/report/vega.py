"""The script that draws the page's charts: it takes seconds to make, so it is kept in .cache."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Final

import altair

KEPT: Final = Path(".cache", "page")


def script() -> str:
    """Vega, Vega-Lite and vega-embed of the release that the charts are written for, as one script."""
    release = altair.SCHEMA_VERSION.lstrip("v").rpartition(".")[0]
    name = f"vega-lite-{release}-by-{metadata.version('vl-convert-python')}.js"
    with suppress(OSError):
        return (KEPT / name).read_text(encoding="utf-8")
    import vl_convert

    made = str(vl_convert.javascript_bundle(vl_version=release))  # type: ignore[call-arg]  # its types ask for more
    with suppress(OSError):  # where nothing can be kept it is made each time
        _keep(KEPT / name, made)
    return made


def _keep(place: Path, text: str) -> None:
    """Whole or not at all, though several comparisons may come to this at a time."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(place)
