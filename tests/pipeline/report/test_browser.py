"""The whole report in a headless Chromium, as somebody opens it from disk. Skipped where there is no Chromium."""

import operator
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.pipeline.report.build import Wanted, build_report

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("there is no Chromium", allow_module_level=True)

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SMALL = {"width": 640, "height": 360}  # what is drawn by software is quick here
WEBGL_BY_SOFTWARE = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
ADVICE = "Canvas2D: Multiple readback operations"  # of Chromium to Plotly, which writes no text differently
VIEW = "#hand-3d"
PATIENCE = 120_000  # milliseconds: another test may have the other core

CONTRAST = """() => {
  const rgba = (text) => [...text.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
  const over = (top, below) => below.map((n, at) => top[at] * top[3] + n * (1 - top[3]));
  const light = (rgb) => rgb.map((n) => n / 255).map((n) => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4)
    .reduce((sum, n, at) => sum + n * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (one) => {
    const layers = [];
    for (; one; one = one.parentElement) layers.push(rgba(getComputedStyle(one).backgroundColor));
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255]);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), weak = [];
  let seen = 0;
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !one.checkVisibility()) continue;
    if (one.closest("option, script, style, .skip")) continue;
    const style = getComputedStyle(one), back = behind(one);
    const ink = rgba(one.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(over(ink, back)), light(back)].sort((one, other) => one - other);
    seen += 1;
    if ((b + 0.05) / (a + 0.05) < 4.5) weak.push(`${texts.currentNode.textContent.trim()}: ${style.color} on ${back}`);
  }
  return [seen, weak];
}"""


@pytest.fixture(scope="module", name="report")
def build(mini_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    build_report(mini_project, out, Wanted(samples=6), lambda done, total: None)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=WEBGL_BY_SOFTWARE, timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="module", name="opened")
def open_page(browser: Any, report: Path) -> Iterator[tuple[Any, list[str], list[str]]]:
    """The page, what its console said, and what it asked for; all tests share it."""
    page = browser.new_page(viewport=SMALL, color_scheme="light", reduced_motion="reduce")
    page.set_default_timeout(PATIENCE)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    yield page, said, asked
    page.close()


@pytest.fixture
def page(opened: tuple[Any, list[str], list[str]]) -> Any:
    """The page as it is when it has just been opened."""
    page = opened[0]
    page.set_viewport_size(SMALL)
    page.emulate_media(media="screen", color_scheme="light")
    page.evaluate("""() => {
        document.querySelector("dialog").close();
        document.activeElement.blur();
        document.querySelectorAll("#sets input, .parts input").forEach((box) => { if (!box.checked) box.click(); });
        scrollTo(0, 0);
    }""")
    reset(page)
    return page


def reset(page: Any) -> None:
    page.evaluate("() => { document.querySelector('#filters [type=reset]').click(); return new Promise(setTimeout); }")


def pixels(page: Any, selector: str) -> NDArray[np.uint8]:
    """Photograph a part of the page."""
    data = page.locator(selector).screenshot()
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(np.uint8)


def settled(page: Any) -> NDArray[np.uint8]:
    """Photograph the 3D view when it has drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_timeout(50)
    return pixels(page, VIEW)


def shown(page: Any) -> list[dict[str, str]]:
    return page.evaluate(
        "() => [...document.querySelectorAll('.card:not([hidden])')].map((card) => ({...card.dataset}))"
    )


def focus(page: Any) -> str:
    return page.evaluate("() => document.activeElement.innerText")


def test_it_opens_from_disk_and_asks_for_nothing(opened: tuple[Any, list[str], list[str]], report: Path) -> None:
    page, said, asked = opened
    page.locator(".card button").first.click()
    settled(page)
    assert [line for line in said if ADVICE not in line] == []
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {report.as_uri()}
    assert page.evaluate("() => [...document.images].every((image) => image.complete && image.naturalWidth)")


def test_the_filters_filter_and_the_orders_order(page: Any) -> None:
    every = shown(page)
    assert len(every) == 6
    assert page.inner_text("#count") == "6 of 6 shown"
    page.select_option("[name=why]", "best")
    assert {one["why"] for one in shown(page)} == {"best"}
    assert page.inner_text("#count") == f"{len(shown(page))} of 6 shown"
    reset(page)
    for side in ("left", "right"):
        page.select_option("#filters [name=hand]", side)
        assert shown(page) == [one for one in every if one["hand"] == side]
    page.select_option("#filters [name=hand]", "")
    for order, sign in (("error", 1), ("-error", -1), ("confidence", 1)):
        page.select_option("[name=order]", order)
        values = [sign * float(one[order.strip("-")]) for one in shown(page)]
        assert values == sorted(values)
    page.select_option("[name=order]", "hand")
    hands = [one["hand"] for one in shown(page)]
    assert hands == sorted(hands)
    assert len({*hands}) == 2
    page.select_option("[name=order]", "name")
    assert [one["name"] for one in shown(page)] == sorted(one["name"] for one in every)


def test_the_sliders_leave_out_large_errors_and_little_confidence(page: Any) -> None:
    every = shown(page)
    for key, kept in (("error", operator.le), ("confidence", operator.ge)):
        slider = page.locator(f"#filters [name={key}]")
        ends = [float(slider.get_attribute(end)) for end in ("min", "max")]
        values = sorted(float(one[key]) for one in every)
        middle = round(values[len(values) // 2] + 0.005, 2)
        assert ends[0] <= values[0]
        assert values[-1] <= ends[1]
        slider.fill(str(middle))
        assert [one["number"] for one in shown(page)] == [
            one["number"] for one in every if kept(float(one[key]), middle)
        ]
        assert slider.locator("+ output").inner_text() == f"{middle:.2f}"
        reset(page)


def test_keypoint_sets_are_switched(page: Any) -> None:
    before = pixels(page, ".card .keypoints >> nth=0")
    for name in ("detected", "pointed", "projected"):
        page.uncheck(f"#sets [name={name}]")
        after = pixels(page, ".card .keypoints >> nth=0")
        assert (after != before).any(), name
        before = after


def test_the_keyboard_alone_is_enough(page: Any) -> None:
    page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")
    page.keyboard.press("Tab")
    assert focus(page) == "Skip to the content"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "content"
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("() => Boolean(document.activeElement.closest('.card'))"):
            break
    name = focus(page)
    assert name == shown(page)[0]["name"]
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.querySelector('dialog').open")
    assert page.evaluate("() => document.activeElement.id") == VIEW[1:]
    before = settled(page)
    page.keyboard.press("ArrowRight")
    assert (settled(page) != before).any()
    page.keyboard.press("Escape")
    assert not page.evaluate("() => document.querySelector('dialog').open")
    assert focus(page) == name


def test_the_3d_view_draws_and_turns(page: Any) -> None:
    page.locator(".card button").first.click()
    first = settled(page)
    assert len(np.unique(first[5:-5, 5:-5].reshape(-1, 3), axis=0)) > 100
    page.focus(VIEW)
    before = first
    for key in ("ArrowLeft", "ArrowUp", "+"):
        page.keyboard.press(key)
        after = settled(page)
        assert (after != before).mean() > 0.01, key
        before = after
    page.keyboard.press("Home")
    assert (settled(page) != first).mean() < 0.001


def test_each_part_of_the_3d_view_is_switched(page: Any) -> None:
    page.locator(".card button").first.click()
    before = settled(page)
    for part in ("truth", "joints", "surface"):
        page.uncheck(f"#viewer [name={part}]")
        after = settled(page)
        assert (after != before).any(), part
        before = after
    assert len(np.unique(before[8:-8, 8:-8].reshape(-1, 3), axis=0)) == 1  # nothing is left


def test_the_next_hand_is_the_next_that_is_shown(page: Any) -> None:
    page.select_option("[name=order]", "-error")
    names = [one["name"] for one in shown(page)]
    page.locator(".card button").first.click()
    seen = []
    for _ in names[:3]:
        seen.append(page.inner_text("#viewer-title"))
        page.click("#viewer [name=next]")
    assert seen == names[:3]
    page.click("#viewer [name=close]")
    assert focus(page) == names[3]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_the_window(page: Any, size: dict[str, int]) -> None:
    page.set_viewport_size(size)
    page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")
    page.locator(".card button").first.click()
    box = page.locator("#viewer").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    photograph = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert photograph.shape == (size["height"], size["width"], 3)
    assert photograph.std() > 20


def test_text_is_readable_in_light_and_dark(page: Any) -> None:
    backs = []
    for _ in range(2):
        seen, weak = page.evaluate(CONTRAST)
        assert seen > 50
        assert weak == []
        backs.append(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
        page.click("#theme")
    assert backs[0] != backs[1]


def test_pictures_have_words_and_buttons_names(page: Any) -> None:
    page.locator(".card button").first.click()
    assert page.evaluate("() => [...document.images].filter((image) => !image.alt.trim()).length") == 0
    assert (
        page.evaluate("() => [...document.querySelectorAll('button')].filter((one) => !one.innerText.trim()).length")
        == 0
    )
    labelled = "() => [...document.querySelectorAll('input, select')].every((one) => one.labels.length)"
    assert page.evaluate(labelled)
    assert page.get_attribute(VIEW, "aria-label").startswith("The reconstructed ")
    assert page.evaluate("() => new Set([...document.querySelectorAll('[id]')].map((one) => one.id)).size") == len(
        page.query_selector_all("[id]")
    )


def test_on_paper_there_is_nothing_to_press(page: Any) -> None:
    page.emulate_media(media="print")
    for gone in ("nav", "#theme", "#filters", "#viewer"):
        assert not page.locator(gone).is_visible()
    assert page.locator(".card").first.is_visible()


def test_64_hands_fit_into_15_mb(report: Path, mini_project: Path, tmp_path: Path) -> None:
    without = build_report(mini_project, tmp_path / "report.html", Wanted(samples=0), lambda done, total: None)
    assert without + 64 * (report.stat().st_size - without) / 6 < 15e6
