"""The page in a headless Chromium: it loads nothing, complains of nothing, and fits a phone."""

import pytest
from browser import Browser
from small_runs import compare

from minibnn.cli import main

# Elements that reach beyond WIDTH pixels, other than inside a box that scrolls. (A phone's window
# becomes wider with what is in it, so innerWidth would hide that.)
WIDE = """
[...document.querySelectorAll("body *")]
  .filter(e => e.getBoundingClientRect().right > WIDTH + 1
    && !e.closest("pre, .scroll, div[style*=overflow-x]"))
  .map(e => e.outerHTML.slice(0, 100))
"""
# Height of the smallest letters in a figure, in pixels of the screen; matplotlib's are 10 pt.
SMALLEST = """
Math.min(...[...document.images].map(image =>
  10 * 96 / 72 * image.getBoundingClientRect().width / image.naturalWidth))
"""
BLANK = "[...document.images].filter(image => !image.complete || image.naturalWidth < 200).length"


@pytest.mark.slow
def test_in_a_browser(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = "latent-sgd-with-a-name-that-is-far-too-long-to-fit-on-any-phone"
    specs = {"bop": "bop:gamma=1e-2,threshold=1e-6", long: "latent-sgd:lr=1"}
    compare(tmp_path / "run", specs=specs, epochs=2)
    assert main(["report", "run", "--title", "A title " * 30]) == 0
    with Browser(tmp_path / "profile") as browser:
        for width, dark in ((1280, False), (1280, True), (360, False), (360, True)):
            browser.open(tmp_path / "run/report.html", width, dark=dark)
            assert browser.requests() == []
            assert browser.complaints() == []
            assert browser.evaluate("document.images.length") == 1 + 2
            assert browser.evaluate(BLANK) == 0
            assert browser.evaluate(WIDE.replace("WIDTH", str(width))) == []
            assert browser.evaluate("document.documentElement.scrollWidth") == width
            assert browser.evaluate(SMALLEST) > 8.5
            ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
            ink = browser.evaluate("getComputedStyle(document.body).color")
            colours = ["rgb(255, 255, 255)", "rgb(27, 31, 36)"]
            assert [ground, ink] == (["rgb(20, 23, 27)", "rgb(232, 234, 237)"] if dark else colours)
        browser.picture(tmp_path / "page.png")
        assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
