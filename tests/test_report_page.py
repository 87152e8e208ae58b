"""The page in a real browser: what it shows, on a phone, in the dark and on paper, by mouse, keyboard and ear."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from comparing import FOUND, GOALS, compared, comparison, example, full

from clients import verdict
from clients.report import write
from evaluation.tasks.classification import Classified, Guess
from evaluation.tasks.multi_label import MultiLabelled
from model_config.goals import Goals

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    found = full(folder)
    return found, *write.write(found, verdict.of(found, GOALS), folder / "out")


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM} to look at the page with")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed, which drives the browser")
    with api.sync_playwright() as play:
        # in a container nobody but root is there, whom Chromium gives no sandbox
        chromium = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, written):
    """The page as a reader opens it; whatever it says on the console, and whatever it asks for, is an error."""
    told: list[str] = []
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.on("console", lambda message: told.append(message.text))
    opened.on("pageerror", lambda error: told.append(str(error)))
    opened.on("request", lambda request: request.url.startswith("data:") or told.append(request.url))
    address = written[2].as_uri()
    opened.goto(address)
    opened.wait_for_selector("[data-chart=size] svg")
    yield opened
    assert told == [address]
    opened.close()


def test_the_page_is_small_and_nothing_in_it_ends_what_holds_it(written):
    text = written[2].read_text()

    assert len(re.sub(r"data:image/jpeg;base64,[^\"]*", "", text)) < 3_000_000
    assert text.count("data:image/jpeg") == 2  # each picture once, however many versions there are
    assert "cat &amp; &lt;dog&gt;" in text
    assert "it was &lt;odd&gt;" in text
    assert "<dog>" not in text


def test_the_verdict_stands_on_top_in_one_sentence(page):
    assert page.locator("h2").first.inner_text().startswith("Ship version 2 (recipe_2): it meets all 3 goals")
    assert page.locator(".reasons li").count() == 2


def test_four_charts_are_drawn_and_told_to_those_who_cannot_see_them(page):
    drawn = page.locator("[data-chart]")

    assert drawn.evaluate_all("all => all.map(each => each.dataset.chart)") == ["speed", "accuracy", "latency", "size"]
    for place in range(4):
        assert drawn.nth(place).locator("svg path").count() > 3
        assert "version 2 recipe_2" in drawn.nth(place).locator("..").get_attribute("aria-label")
    assert page.locator("[data-chart=accuracy]").get_by_text("goal: 0.88").count() == 1
    assert page.locator("[data-chart=latency]").get_by_text("p99 goal: 4 ms").count() == 1


def order(page):
    return page.locator("table.sortable tbody th").evaluate_all("all => all.map(each => parseInt(each.innerText))")


def test_the_table_is_sorted_by_keyboard_and_says_how(page):
    head = page.get_by_role("columnheader", name="images /s")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert (order(page), head.get_attribute("aria-sort")) == ([1, 2, 5], "ascending")
    page.keyboard.press("Enter")

    assert (order(page), head.get_attribute("aria-sort")) == ([5, 2, 1], "descending")
    assert page.locator("th[aria-sort=none]").count() == page.locator("th[aria-sort]").count() - 1


def test_what_is_unknown_stands_last_whichever_way_it_is_sorted(page):
    button = page.get_by_role("columnheader", name="load s").get_by_role("button")
    for _ in range(2):
        button.click()
        assert order(page)[-1] == 5


def test_another_versions_answers_are_shown_beside_the_truth(page):
    shown = page.locator("article").first.locator("figure:visible figcaption")
    assert shown.all_inner_texts() == ["ground truth", "2 recipe_2"]
    page.get_by_role("button", name="1 recipe_1").click()

    assert shown.all_inner_texts() == ["ground truth", "1 recipe_1"]
    assert page.get_by_role("button", name="1 recipe_1").get_attribute("aria-pressed") == "true"
    picture = page.locator("article").first.locator("figure:visible svg").last
    assert picture.get_attribute("aria-label") == f"a.png: {FOUND.label} 0.91"
    assert picture.locator("use").get_attribute("href") == "#picture-1"


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(page):
    seen, edges = [], []
    while "PRE" not in seen and len(seen) < 60:  # the commands, which come last
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.tagName"))
        box = page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
        edges.append((box["top"] + page.evaluate("scrollY"), box["bottom"] + page.evaluate("scrollY")))

    assert seen[0] == "A"  # past all the rest to the table
    assert seen.count("BUTTON") == page.locator("button").count()
    assert seen.count("SUMMARY") == page.locator("summary").count()
    assert all(bottom > top for (top, _), (_, bottom) in zip(edges[1:], edges[2:]))  # never back up the page


def test_a_screen_reader_finds_its_way(page):
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(each => Number(each.tagName[1]))")
    nameless = page.locator("button, summary, th, [role=img], [role=region], [role=group]").evaluate_all(
        "all => all.filter(each => !['aria-label', 'aria-labelledby'].some(name => each.getAttribute(name)))"
        ".filter(each => !each.textContent.trim()).map(each => each.outerHTML)"
    )
    ids = page.locator("[id]").evaluate_all("all => all.map(each => each.id)")

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    assert nameless == []
    assert len(set(ids)) == len(ids)
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_long_name_stays_in_its_place_and_a_label_on_its_ground(browser, tmp_path):
    name = "a_model_whose_long_name_somebody_has_chosen_for_good_reasons"
    found = comparison(compared(1, 0.9), compared(2, 0.9), examples=(example(tmp_path),))
    found = replace(found, model=name, versions=tuple(replace(each, recipe=name) for each in found.versions))
    _, path = write.write(found, verdict.of(found, Goals()), tmp_path / "out")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(path.as_uri())
    page.wait_for_selector("[data-chart=size] svg")
    told = page.locator("h1, h3, figcaption, .legend li, .chart svg text")
    label, ground = (page.locator(".picture").first.locator(tag).last.bounding_box() for tag in ("text", "rect"))

    assert told.evaluate_all("all => Math.max(...all.map(each => each.getBoundingClientRect().right))") <= 390
    assert label["x"] >= ground["x"]
    assert label["x"] + label["width"] <= ground["x"] + ground["width"]
    page.close()


def test_a_phone_scrolls_nothing_but_tables_sideways(browser, written):
    phone = browser.new_page(viewport={"width": 390, "height": 844})
    phone.goto(written[2].as_uri())
    phone.wait_for_selector("[data-chart=size] svg")

    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    phone.close()


@pytest.mark.parametrize(("scheme", "media"), [("light", "screen"), ("dark", "screen"), ("dark", "print")])
def test_text_stands_out_from_its_ground_on_light_dark_and_paper(browser, written, scheme, media):
    page = browser.new_page(color_scheme=scheme)
    page.goto(written[2].as_uri())
    page.emulate_media(media=media)

    for place in (
        "body",
        ".verdict h2",
        ".note",
        ".tiles dt",
        ".unknown",
        ".meta",
        "thead button",
        "[aria-pressed=true]",
    ):
        assert page.locator(place).first.evaluate(_CONTRAST) >= 4.5, place
    page.close()


# by WCAG: the luminances of the text and of the first ground behind it that is not transparent
_CONTRAST = """element => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, place) => sum + c * [.2126, .7152, .0722][place], 0);
  let behind = element, ground;
  do { ground = parts(getComputedStyle(behind).backgroundColor); behind = behind.parentElement; }
  while (ground[3] === 0 && behind);
  if (ground[3] === 0) ground = [255, 255, 255];
  const [low, high] = [light(parts(getComputedStyle(element).color)), light(ground)].sort((a, b) => a - b);
  return (high + .05) / (low + .05);
}"""


@pytest.mark.parametrize("kind", [Classified, MultiLabelled])
def test_scores_stand_beside_the_picture(browser, tmp_path, kind):
    said = [
        kind((Guess(0, "cat", score, score > 0.5), Guess(1, "dog", 1 - score, score < 0.5))) for score in (0.9, 0.2)
    ]
    seen = replace(example(tmp_path), truth=kind((Guess(0, "cat", 1.0),)), answers=dict(zip((1, 2), said)))
    found = comparison(compared(1, 0.9), compared(2, 0.9), examples=(seen, replace(seen, read=dict)))
    _, path = write.write(found, verdict.of(found, Goals()), tmp_path / "out")
    page = browser.new_page()
    page.goto(path.as_uri())

    for place in range(2):
        card = page.locator("article").nth(place)
        assert card.locator(".said").inner_text() == "cat"
        assert card.locator("figure:visible .bars .label").all_inner_texts()[:1] == [
            "cat" if kind is Classified else "dog"
        ]
    page.close()
