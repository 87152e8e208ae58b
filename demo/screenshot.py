"""The picture of the demo's page that the README shows; run after the demo, where Chromium and playwright are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PAGE: Final = Path("results", "demo", "report.html")
PICTURE: Final = Path("docs", "report.png")

_CHROMIUM: Final = "/usr/bin/chromium"
_WIDTH: Final = 1200
_COLOURS: Final = 256  # all that a page of few colours needs, at a third of the bytes


def main() -> None:
    """Look at the page down to the first pictures, and write what is seen."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": 900})
        page.goto(PAGE.resolve().as_uri())
        page.wait_for_selector("[data-chart=size] svg")
        seen = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": _WIDTH, "height": _end(page)})
        browser.close()
    picture = Image.open(io.BytesIO(seen)).convert("RGB")
    picture.quantize(_COLOURS, dither=Image.Dither.FLOYDSTEINBERG).save(PICTURE, optimize=True)


def _end(page: Page) -> float:
    """The lower edge of the first card."""
    box = page.locator("article").first.bounding_box()
    return box["y"] + box["height"] + 24 if box else 900.0


if __name__ == "__main__":
    main()
