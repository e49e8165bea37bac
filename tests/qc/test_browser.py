"""The review page in a real browser, opened from disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from understudy.qc import page as review_page

CHROMIUM = Path("/usr/bin/chromium")
PLATE, RESULT = (40, 90, 160), (200, 120, 60)

pytestmark = pytest.mark.slow


@pytest.fixture
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"no {CHROMIUM}: install the system's chromium to drive the page")
    with api.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def tab(browser: Any, review: Path) -> Iterator[Any]:
    """The open page; at the end nothing may have been asked of a network, refused or complained about."""
    made = browser.new_page(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    complaints: list[str] = []
    made.on("request", lambda request: asked.append(request.url))
    made.on("console", lambda message: complaints.append(message.text))
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    made.goto(f"file://{review}/index.html")
    yield made
    assert asked and all(url.startswith("file://") for url in asked)
    assert complaints == []


def until(tab: Any, condition: str, seconds: float = 10.0) -> None:
    """Wait for a condition; playwright's own wait is forbidden by the page's policy against `eval`."""
    end = time.monotonic() + seconds
    while not tab.evaluate(condition):
        assert time.monotonic() < end, condition
        tab.wait_for_timeout(20)


def drawn(tab: Any, words: str) -> None:
    """Wait until the canvas shows a frame in a mode."""
    until(tab, f"document.getElementById('picture').dataset.drawn === '{words}'")


def pixel(tab: Any, x: float, y: float) -> tuple[int, ...]:
    """Colour at a share of the drawn picture's width and height."""
    shot = tab.locator("#picture").screenshot()
    image = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    height, width = image.shape[:2]
    scale = min(width / 160, height / 90)
    left, top = (width - 160 * scale) / 2, (height - 90 * scale) / 2
    return tuple(int(v) for v in image[round(top + y * 90 * scale), round(left + x * 160 * scale)])


def near(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 6


def shows(tab: Any, place: tuple[float, float], wanted: tuple[int, ...]) -> None:
    """Wait until the picture has a colour at a place, given as shares of its width and height."""
    end = time.monotonic() + 10
    while not near(found := pixel(tab, *place), wanted):
        assert time.monotonic() < end, f"{found} at {place}, not {wanted}"


def enter(tab: Any) -> None:
    tab.locator("#rows a").first.click()
    drawn(tab, "1001 wipe")


def test_the_table_shows_names_as_text(tab: Any) -> None:
    names = tab.locator("#rows a").all_text_contents()
    assert names[0] == "sh010"
    assert names[1].startswith("<img src=x onerror=alert(1)></script>")
    assert tab.locator("h1").text_content().startswith("<img src=x")
    assert tab.locator("#rows img").evaluate_all(
        "all => all.every(one => one.complete && one.naturalWidth > 0)"
    )
    tab.get_by_role("button", name="fail 1").click()
    assert tab.locator("#rows a").all_text_contents() == ["sh010"]


def test_the_wipe_changes_the_pixels(tab: Any) -> None:
    enter(tab)
    shows(tab, (0.3, 0.8), PLATE)
    shows(tab, (0.7, 0.8), RESULT)
    tab.locator("#wipe").fill("20")
    shows(tab, (0.3, 0.8), RESULT)
    box = tab.locator("#picture").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    tab.mouse.up()
    shows(tab, (0.7, 0.8), PLATE)
    before = float(tab.locator("#wipe").input_value())
    tab.keyboard.press("[")
    assert float(tab.locator("#wipe").input_value()) == pytest.approx(before - 5, abs=1)


def test_modes_show_what_they_say(tab: Any) -> None:
    enter(tab)
    tab.keyboard.press("p")
    drawn(tab, "1001 plate")
    shows(tab, (0.5, 0.8), PLATE)
    tab.keyboard.press("r")
    drawn(tab, "1001 result")
    shows(tab, (0.5, 0.8), RESULT)
    tab.keyboard.press("d")
    drawn(tab, "1001 difference")
    # |200-40| x 4, |120-90| x 4, |60-160| x 4, clipped
    found = pixel(tab, 0.5, 0.8)
    assert found[0] == 255 and found[2] == 255 and abs(found[1] - 120) <= 14
    tab.keyboard.press("m")
    drawn(tab, "1001 matte")
    tint = tuple(round(0.45 * a + 0.55 * b) for a, b in zip(RESULT, (0x3D, 0x9B, 0xD0), strict=True))
    shows(tab, (0.5, 0.5), tint)
    shows(tab, (0.1, 0.1), RESULT)
    tab.keyboard.press("m")
    drawn(tab, "1001 wipe")


def test_keys_move_by_frames_and_flags(tab: Any) -> None:
    enter(tab)
    frame = tab.locator("#frame")
    for key, wanted in (
        ("ArrowRight", 1002),
        ("ArrowRight", 1003),
        ("ArrowLeft", 1002),
        ("Shift+ArrowRight", 1012),
        ("End", 1024),
        ("ArrowRight", 1024),
        ("Home", 1001),
        ("f", 1010),
        ("f", 1020),
        ("f", 1010),
        ("Shift+F", 1020),
    ):
        tab.keyboard.press(key)
        assert frame.text_content() == str(wanted), key
        drawn(tab, f"{wanted} wipe")
    assert tab.locator("#flags [aria-current=true]").text_content().startswith("seam visible")
    assert tab.url.endswith("#/sh010/1020")
    assert tab.locator("#scrubber").get_attribute("aria-valuetext") == "frame 1020, seam visible"


def test_a_click_on_the_strips_or_on_a_flag_seeks(tab: Any) -> None:
    enter(tab)
    box = tab.locator("#scrubber").bounding_box()
    place = box["x"] + 96 + (box["width"] - 96) * (12.5 / 24)
    tab.mouse.click(place, box["y"] + box["height"] - 10)
    assert tab.locator("#frame").text_content() == "1013"
    tab.locator("#flags button").first.click()
    assert tab.locator("#frame").text_content() == "1010"


def test_playing_shows_every_frame_and_stops_at_the_end(tab: Any) -> None:
    enter(tab)
    tab.evaluate(
        "window.seen = []; const frame = document.getElementById('frame');"
        "new MutationObserver(() => seen.push(frame.textContent))"
        ".observe(frame, {childList: true})"
    )
    tab.keyboard.press("l")
    until(tab, "document.getElementById('frame').textContent === '1024'")
    assert tab.evaluate("[...new Set(seen)].length") == 23
    tab.keyboard.press("j")
    until(tab, "Number(document.getElementById('frame').textContent) < 1022")
    tab.keyboard.press("k")
    here = tab.locator("#frame").text_content()
    tab.wait_for_timeout(200)
    assert tab.locator("#frame").text_content() == here


def test_the_keyboard_alone_is_enough(tab: Any) -> None:
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    drawn(tab, "1001 wipe")
    assert unquote(tab.url).endswith("</script>/1001")
    tab.keyboard.press("PageUp")
    until(tab, "document.getElementById('title').textContent === 'sh010'")
    tab.keyboard.press("?")
    assert tab.locator("#keys").is_visible()
    tab.keyboard.press("Escape")
    assert not tab.locator("#keys").is_visible()
    tab.keyboard.press("Escape")
    until(tab, "!document.getElementById('table-view').hidden")
    assert tab.evaluate("document.activeElement.textContent") == "sh010"
    unnamed = tab.evaluate(
        "[...document.querySelectorAll('button, a, input, [role]')]"
        ".filter(e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map(e => e.id)"
    )
    assert unnamed in ([], ["picture"])


def test_a_shot_of_5000_frames_stays_light(browser: Any, review: Path, shots: list[dict[str, Any]]) -> None:
    """Few elements, few pictures held; a frame whose picture is missing is said to be missing."""
    long = shots[0] | {"last": 6000, "tracks": []}
    numbers = {name: [0.5] * 5000 for name in review_page.NUMBERS}
    long["tracks"] = [{"id": "t01", "talent": "a", "numbers": numbers}]
    review_page.write(review, {"name": "long"}, [long])
    tab = browser.new_page()
    tab.goto(f"file://{review}/index.html#/sh010/1001")
    drawn(tab, "1001 wipe")
    assert tab.evaluate("document.querySelectorAll('*').length") < 400
    tab.keyboard.press("End")
    drawn(tab, "6000 missing")
