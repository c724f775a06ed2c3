"""Figures inside a page: text stays text, colours are variables, no id is there twice."""

import re
from xml.etree import ElementTree

import pytest

from minibnn.training.plots.style import COLOURS, new_figure
from minibnn.training.report.look import ON_DARK, STYLE
from minibnn.training.report.svg import VARIABLES, Figures, drawing, framed


def draw(colour=COLOURS[0], title="A title"):
    with drawing():
        figure = new_figure(3, 2)
        axes = figure.subplots()
        axes.plot([0, 1, 2], [1, 5, 2], color=colour, marker="o")
        axes.set_title(title, parse_math=False)
    return figure


def test_text_stays_text():
    root = ElementTree.fromstring(Figures().svg(draw(title="<b>&"), "What <it> shows"))
    assert "<b>&" in [element.text for element in root.iter("text")]
    assert root.get("aria-label") == "What <it> shows"
    assert root.get("class") == "figure"
    assert [float(x) for x in root.get("viewBox").split()] == [0, 0, 216, 144]


def test_nothing_of_the_file_around_it_is_left():
    text = Figures().svg(draw(), "x")
    for word in ("http", "<?xml", "DOCTYPE", "metadata", "<style", "DejaVu", "xmlns", "ns0:"):
        assert word not in text
    assert "width" not in ElementTree.fromstring(text).attrib


@pytest.mark.parametrize("k", range(len(COLOURS)))
def test_colours_are_variables(k):
    text = Figures().svg(draw(COLOURS[k]), "x")
    variable = "var(--ink)" if COLOURS[k] == "#000000" else f"var(--c{k})"
    assert f"stroke: {variable}" in text
    assert COLOURS[k].lower() not in text.lower()
    assert "#010203" not in text


def test_the_page_defines_every_variable_for_light_and_dark():
    light, dark = STYLE.split("@media")
    for name in {value[4:-1] for value in VARIABLES.values()} | {"--page", "--card", "--rule"}:
        assert f"{name}:" in light
        assert f"{name}:" in dark


def luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("k", range(len(ON_DARK)))
def test_lines_stand_out_on_dark(k):
    page = re.findall(r"--page: (#\w{6})", STYLE)[1]
    assert (luminance(ON_DARK[k]) + 0.05) / (luminance(page) + 0.05) > 4.5


def test_ids_are_unique_on_a_page_and_refer_to_something():
    figures = Figures()
    text = "".join(figures.svg(draw(), "x") for _ in range(3))
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(names) == len(set(names)) > 3
    assert set(re.findall(r'(?:url\(|href=")#([\w.-]+)', text)) == set(names)


def test_the_same_figure_gives_the_same_bytes():
    assert Figures().svg(draw(), "x") == Figures().svg(draw(), "x")


def test_a_caption_is_no_markup():
    assert framed("<svg/>", "<i>&") == (
        "<figure><svg/><figcaption>&lt;i&gt;&amp;</figcaption></figure>"
    )
