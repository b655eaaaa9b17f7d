"""The page of lrx explore in a browser that moves sliders and reads pixels, of models with known answers."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.chromium import Chromium
from tests.browser.served import LEVELS
from tests.explore.sessions import A
from tests.support.models_for_tests import Vectors

ROOT = Path(__file__).parents[2]
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
PIXELS = """(image) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [...data].filter((_, i) => i % 4 === 0);
}"""
IMAGE = 6 * 1 + 4  # left 51, right 204


def heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # which a shell has its background jobs ignore


@contextmanager
def served(kind: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    words = [sys.executable, "-m", "tests.browser.served", kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed_ctrl_c) as started:
        assert started.stdout is not None
        yield started.stdout.readline().strip(), started
        started.kill()


@pytest.fixture(scope="module")
def images() -> Iterator[str]:
    with served("images") as (address, _):
        yield address


@pytest.fixture(scope="module")
def vectors() -> Iterator[str]:
    with served("vectors") as (address, _):
        yield address


def opened(
    browser: Chromium, address: str, *, image: int | None = IMAGE, width: int = 1280, dark: bool = False
) -> Page:
    page = browser.open(address, width=width, dark=dark)
    ready(page, image)
    return page


def ready(page: Page, image: int | None = IMAGE) -> None:
    page.wait_for_selector("body[data-ready]")
    if image is not None:
        page.fill("#image", str(image))
        page.press("#image", "Tab")
        until(page, f"document.querySelector('#decoded img')?.alt === 'decoded: image {image}'")


def halves(page: Page, picture: str) -> tuple[int, int]:
    """The brightness of both halves of a picture of 8 x 8 pixels."""
    pixels = np.array(page.locator(f"{picture} img").evaluate(PIXELS)).reshape(8, 8)
    assert (pixels[:, :4] == pixels[0, 0]).all()
    assert (pixels[:, 4:] == pixels[0, 7]).all()
    return int(pixels[0, 0]), int(pixels[0, 7])


def move(page: Page, latent: int, key: str, times: int) -> float:
    """Press a key on the slider of a latent; return the value that it then has."""
    slider = page.locator(f"[data-unit='{latent}'] input[type=range]")
    before = page.evaluate("Number(document.body.dataset.steps)")
    slider.focus()
    for _ in range(times):
        page.keyboard.press(key)
    until(page, f"Number(document.body.dataset.steps) > {before} ")
    value = float(slider.evaluate("(one) => Number(Number(one.value).toPrecision(4))"))
    expect(page.locator("#decoded img, #decoded svg")).to_have_attribute(
        "alt" if page.locator("#decoded img").count() else "aria-label", says(f"{latent} := {value:.3g}")
    )
    return value


def says(text: str):

    return re.compile(re.escape(text))


def until(page: Page, script: str) -> None:
    """Wait until a script is true; playwright's own waiting evaluates texts in the page, which its policy forbids."""
    deadline = time.monotonic() + 15
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        page.wait_for_timeout(20)


def number(latent: int) -> str:
    return f"Number(document.querySelector(\"[data-unit='{latent}'] input[type=number]\").value)"


def ends(page: Page, latent: int) -> tuple[float, float]:
    """The range of a slider."""
    slider = page.locator(f"[data-unit='{latent}'] input[type=range]")
    return float(slider.get_attribute("min") or 0), float(slider.get_attribute("max") or 0)


def share(page: Page, latent: int, shape: str, attribute: str) -> float:
    """A place of a shape below a slider, as a share of its range."""
    text = page.locator(f"[data-unit='{latent}'] {shape}").get_attribute(attribute)
    assert text is not None
    return float(text.removesuffix("%")) / 100


def test_slider_changes_pixels_and_bars(browser: Chromium, images: str) -> None:
    page = opened(browser, images)
    assert halves(page, "#original") == halves(page, "#reconstruction") == halves(page, "#decoded") == (51, 204)
    low, high = ends(page, 0)
    value = move(page, 0, "ArrowRight", 5)
    assert 0.2 < value < 1
    assert halves(page, "#decoded") == (round(255 * value), 204)
    assert halves(page, "#reconstruction") == (51, 204)
    for latent in (0, 2):  # latent 2 is not set, and follows
        width = share(page, latent, ".bar", "width") * (high - low)
        assert width == pytest.approx(value, abs=0.02)
        assert share(page, latent, ".at-base", "x1") == pytest.approx((0.2 - low) / (high - low), abs=0.02)
    assert browser.problems == []


def test_arrow_leads_from_set_to_read(browser: Chromium, images: str) -> None:
    page = opened(browser, images)
    assert page.locator(".arrow").count() == 0
    value = move(page, 2, "ArrowRight", 60)
    assert halves(page, "#decoded") == (51, 204)  # nothing is seen of it
    low, high = ends(page, 2)
    assert page.locator(".arrow").count() == 1
    assert share(page, 2, ".arrow", "x1") == pytest.approx((value - low) / (high - low), abs=0.01)
    assert share(page, 2, ".arrow", "x2") == pytest.approx((0.2 - low) / (high - low), abs=0.01)  # it is overruled
    page.click("#reset")
    expect(page.locator(".arrow")).to_have_count(0)
    assert browser.problems == []


def test_row_of_moved_latent_lights_up(browser: Chromium, images: str) -> None:
    page = opened(browser, images)
    assert page.locator(".row").evaluate_all("(rows) => rows.map((row) => row.dataset.unit)") == ["1", "0", "2"]
    rows = {
        0: ["0 → 0", "0.7 ± 0.07", "0 → 2", "0.7 ± 0.07", "0 → 1", "not defined"],
        2: ["2 → 2", "0.3 ± 0.03", "2 → 1", "0.2 ± 0.02", "2 → 0", "0.1"],  # without an error
    }
    for latent, texts in rows.items():
        move(page, latent, "ArrowRight", 1)
        assert page.locator("#cells .lit").get_attribute("data-unit") == str(latent)
        expect(page.locator("#lit text")).to_have_text(texts)
    assert browser.problems == []


def test_base_by_factors(browser: Chromium, images: str) -> None:
    page = opened(browser, images)
    page.click("#by-factors summary")
    page.fill("#factor-0", "3")
    page.press("#factor-0", "Tab")
    expect(page.locator("#image")).to_have_value(str(6 * 3 + 4))
    until(page, "document.querySelector('#decoded img').alt === 'decoded: image 22'")
    assert halves(page, "#original") == (LEVELS[3], LEVELS[4])
    page.click("#next")
    expect(page.locator("#factor-1")).to_have_value("5")


def test_click_in_map_decodes_there(browser: Chromium, images: str) -> None:
    page = opened(browser, images)
    page.select_option("#first", "0")
    page.select_option("#second", "1")
    page.click("#compute")
    page.wait_for_selector("#plane:not([hidden])")
    box = page.locator("#over").bounding_box()
    assert box is not None
    (low, high), side = ends(page, 0), 21  # latents 0 and 1 have the same range
    step = (high - low) / (side - 1)
    across, up = 0.45, 0.55
    page.mouse.click(box["x"] + across * box["width"], box["y"] + (1 - up) * box["height"])
    expected = [low + (place * side - 0.5) * step for place in (across, up)]
    for latent, value in enumerate(expected):
        until(page, f"Math.abs({number(latent)} - {value}) < 0.02")
    assert halves(page, "#decoded") == pytest.approx([255 * value for value in expected], abs=4)
    page.focus("#plane")
    before = page.evaluate(number(0))
    page.keyboard.press("ArrowRight")
    until(page, f"Math.abs({number(0)} - {before + step}) < 0.01")
    assert browser.problems == []


def test_line_and_swap_of_two_images(browser: Chromium, images: str) -> None:
    page = opened(browser, images)
    page.click("#swap")
    expect(page.locator("#status")).to_contain_text("choose another image first")
    page.fill("#other", str(6 * 5))  # left 255, right 0
    page.press("#other", "Tab")
    page.wait_for_selector("#other-picture img")
    page.focus("#mix")
    for _ in range(50):
        page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('#decoded img').alt.includes(' 50 % of image 30')")
    assert halves(page, "#decoded") == pytest.approx((153, 102), abs=1)
    page.click("#path")
    expect(page.locator("#line img")).to_have_count(7)
    ends = [halves(page, f"#line figure:nth-child({place})") for place in (1, 7)]
    assert ends == [(51, 204), (255, 0)]
    page.check("[data-unit='0'] input[type=checkbox]")
    page.click("#swap")
    expect(page.locator("#line img")).to_have_count(4)
    swapped = [halves(page, f"#line figure:nth-child({place})") for place in (1, 2, 3, 4)]
    assert swapped == [(51, 204), (255, 204), (51, 0), (255, 0)]


def test_strip_is_saved_and_typed(browser: Chromium, images: str, tmp_path: Path) -> None:
    page = opened(browser, images)
    move(page, 0, "End", 1)
    page.click("#keep")
    page.click("#reset")
    page.click("#keep")
    expect(page.locator("#kept figure")).to_have_count(2)
    for kind in ("png", "svg"):
        with page.expect_download() as download:
            page.click(f"[data-save={kind}]")
        download.value.save_as(tmp_path / f"strip.{kind}")
    with Image.open(tmp_path / "strip.png") as drawn:
        assert drawn.width > 300
    assert "0 :=" in (tmp_path / "strip.svg").read_text()
    page.click("[data-save=command]")
    typed = page.locator("#command")
    expect(typed).to_have_value(says("lrx.explore(model, images, views=[{'image': 10, 'set': {0: "))
    page.click("#kept figure:nth-child(1) button.picture")  # a kept view comes back
    until(page, "document.querySelector('#decoded img').alt.includes('0 :=')")
    assert browser.problems == []


def test_vectors_are_drawn_as_bars(browser: Chromium, vectors: str) -> None:
    page = opened(browser, vectors, image=None)
    assert "lrx.assay(" in page.locator("#matrix-source").inner_text()
    bars = page.locator("#decoded .now-bar")
    assert bars.count() == 3
    page.locator("[data-unit='2'] input[type=number]").fill("2")
    page.press("[data-unit='2'] input[type=number]", "Enter")
    until(page, "document.querySelector('#decoded svg').getAttribute('aria-label').includes('2 := 2')")
    heights = bars.evaluate_all("(bars) => bars.map((bar) => Number(bar.getAttribute('height')))")
    code = Vectors(100).points[int(page.locator("#image").input_value())].numpy().copy()
    code[2] = 2
    expected = np.abs(A.numpy() @ code)
    np.testing.assert_allclose(np.array(heights) / max(heights), expected / expected.max(), atol=1e-3)
    assert browser.problems == []


def test_tabs_have_their_own_state(browser: Chromium, images: str) -> None:
    first = opened(browser, images)
    second = browser.tab(images, width=1280)
    ready(second)
    move(second, 0, "End", 1)
    move(first, 1, "Home", 1)
    assert halves(second, "#decoded")[1] == 204
    assert halves(first, "#decoded")[0] == 51
    assert browser.problems == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1280])
def test_page_fits_and_follows_the_scheme(browser: Chromium, images: str, width: int, dark: bool) -> None:
    page = opened(browser, images, width=width, dark=dark)
    page.fill("#other", "3")
    page.press("#other", "Tab")
    page.click("#path")
    page.click("#keep")
    page.click("#compute")
    page.wait_for_selector("#plane:not([hidden])")
    expect(page.locator("#line img")).to_have_count(7)
    assert page.evaluate(FITS)
    red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").split(",")[0])
    assert red < 60 if dark else red == 255
    assert browser.problems == []


def test_every_control_is_reached_by_tab(browser: Chromium, images: str) -> None:
    page = opened(browser, images, image=None)
    page.click("#compute")
    page.wait_for_selector("#plane:not([hidden])")
    script = "((one) => one.id || one.ariaLabel || one.textContent)(document.activeElement)"
    names = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        names.add(page.evaluate(script))
    wanted = ["image", "previous", "next", "random", "by its factors", "reset", "keep", "latent 0", "value of latent 0"]
    wanted += ["take latent 2 from the other image", "first", "second", "quantity", "compute", "plane", "other", "mix"]
    assert {*wanted, "path", "swap", "leave"} <= names


def test_a_stopped_server_is_told(browser: Chromium) -> None:
    with served("images") as (address, process):
        page = opened(browser, address)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        page.click("#reset")
        expect(page.locator("#status")).to_have_text("the server does not answer; was it stopped?")
