"""The page of a report, read by an XML parser: what is on it, and that nothing else gets in."""

import re
from base64 import b64decode
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from small_runs import compare, small_data

from minibnn.training import load
from minibnn.training.measure import measure
from minibnn.training.plots import find_runs
from minibnn.training.plots.runs import runs_figure
from minibnn.training.plots.style import encoded
from minibnn.training.report import MOST_DRAWN, Subject, page, write_report
from minibnn.training.run_folder import read_config

NASTY = '<script>alert("x")</script>&\'$x^'


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder of a comparison."""
    folder = tmp_path_factory.mktemp("report") / "both"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minibnn.training.plots.draw_curves", lambda path, _: path.touch())
        compare(folder, epochs=2)
    return folder


def subjects(*folders, confusion=True):
    return [
        Subject(
            record,
            read_config(record.folder),
            measure(load(record.folder), small_data()) if confusion else "the images are away",
        )
        for record in find_runs(folders)
    ]


@pytest.fixture(scope="module")
def alone(finished_run):
    """The Subject of a run, measured."""
    (found,) = subjects(finished_run)
    return found


@pytest.fixture(scope="module")
def text(both):
    """The page of the comparison."""
    return page("A title", subjects(both), commands=["minibnn compare --epochs 2"])


@pytest.fixture
def undrawn(monkeypatch):
    """A stand-in for every figure, where a test is about other things."""
    monkeypatch.setattr("minibnn.training.report.encoded", lambda *_: b"")


def parsed(text):
    """The page as a tree; it must be XML as well as HTML, all entities aside from XML's own."""
    head, _, rest = text.partition("\n")
    assert head == "<!DOCTYPE html>"
    return ElementTree.fromstring(rest)


def words(element):
    return " ".join("".join(element.itertext()).split())


def section(root, heading):
    return next(one for one in root.iter("section") if one[0].text == heading)


def rows(table):
    return [[words(cell) for cell in row] for row in table.iter("tr")]


def test_a_comparison(both, text):
    root = parsed(text)
    assert [root.find("head/title").text, root.find("body/header/h1").text] == ["A title"] * 2
    headings = [one[0].text for one in root.iter("section")]
    assert headings == [
        "Results", "Curves", "Confusion", "Configuration", "Networks",
        "The command that repeats it",
    ]  # fmt: skip
    (results,) = section(root, "Results").iter("table")
    assert [row[0] for row in rows(results)] == ["run", "bop", "latent-sgd"]
    last = find_runs([both])[0].history.last
    assert f"{100 * last['test_accuracy']:.2f} %" in rows(results)[1]
    for heading, count in (("Curves", 1), ("Confusion", 2)):
        captions = [words(one) for one in section(root, heading).iter("figcaption")]
        assert len(captions) == count
        assert captions == [image.get("alt") for image in section(root, heading).iter("img")]
    (network,) = section(root, "Networks").iter("table")
    assert len(rows(network)) == 1 + len(load(both / "bop").summary()) + 1
    assert words(root.find(".//pre[@class='command']")) == "minibnn compare --epochs 2"


def drawn(root):
    """The SVG of every figure, by its caption."""
    head = "data:image/svg+xml;base64,"
    images = {image.get("alt"): image.get("src") for image in root.iter("img")}
    assert all(src.startswith(head) for src in images.values())
    return {alt: b64decode(src.removeprefix(head)).decode() for alt, src in images.items()}


def test_figures_are_matplotlibs_own(both, text):
    figures = drawn(parsed(text))
    curves, *_ = figures.values()
    assert curves == encoded(runs_figure(find_runs([both])), ".svg").decode()
    for text in figures.values():
        assert ElementTree.fromstring(text).tag.endswith("}svg")


def test_confusion(alone, undrawn):
    found = alone.confusion
    part = section(parsed(page("x", [alone])), "Confusion")
    _, by_class = part.iter("table")
    table = rows(by_class)
    assert table[0] == ["class \\ answer", *"0123456789", "right"]
    for name, line, counts in zip("0123456789", table[1:], found.confusion, strict=True):
        assert line[:-1] == [name, *(str(n) if n else "." for n in counts)]
    assert f"{100 * found.evaluation.accuracy:.2f} %" in words(part)
    assert "by the network of checkpoint.npz" in words(part)


def test_confusion_of_many_classes_tells_the_worst_mistakes(alone, undrawn):
    matrix = np.zeros((25, 25), np.int64)
    matrix[:10, :10], matrix[20, 3] = alone.confusion.confusion, 99
    names = tuple(f"{NASTY}{k}" for k in range(25))
    many = replace(alone.confusion, confusion=matrix, classes=names)
    part = section(parsed(page("x", [replace(alone, confusion=many)])), "Confusion")
    assert rows(list(part.iter("table"))[1])[1][:3] == [f"{NASTY}20", f"{NASTY}3", "99"]


def test_settings(both, alone, undrawn):
    three = [*subjects(both, confusion=False), alone]
    table = next(section(parsed(page("x", three)), "Configuration").iter("table"))
    found = {row[0]: row[1:] for row in rows(table)}
    assert found["setting"] == ["bop", "latent-sgd", "run"]
    assert found["seed"] == ["1"] * 3
    assert found["epochs"] == ["2", "2", "3"]
    assert found["optimizer"][0].startswith("bop:gamma=0.01,threshold=1e-06")
    assert found["real optimizer"][0] == "adam:lr=0.01,beta_1=0.9,beta_2=0.999,epsilon=1e-07"
    assert found["images"][2] == "digits: 210 + 53 of 8x8x1, 10 classes"


def test_no_text_becomes_markup(alone):
    names = tuple(f"{NASTY}{k}" for k in range(10))
    confusion = replace(alone.confusion, classes=names)
    layers = {"layers": np.array([f"{NASTY}{k}" for k in range(4)])}
    record = replace(alone.record, label=NASTY, telemetry=alone.record.telemetry | layers)
    away = replace(alone.record, label=f"{NASTY}2", telemetry=None)
    network = alone.config["network"] | {"name": NASTY}
    config = alone.config | {"options": {"recipe": NASTY}, "minibnn": NASTY, "network": network}
    nasty = [Subject(record, config, confusion), Subject(away, config, NASTY)]
    text = page(NASTY, nasty, commands=[NASTY])
    assert "<script" not in text
    assert NASTY not in text
    root = parsed(text)
    assert root.find("head/title").text == NASTY
    assert words(root.find(".//pre[@class='command']")) == NASTY
    assert names[3] in rows(list(section(root, "Confusion").iter("table"))[1])[0]
    assert f"Not measured: {NASTY}" in words(section(root, "Confusion"))
    assert f"Without telemetry of their layers: {NASTY}2." in words(section(root, "Curves"))


def test_it_loads_nothing(text):
    assert not re.search(r"https?:|//\w", text)
    assert not re.search(r"@import|url\((?!#)", text)
    for element in parsed(text).iter():
        assert element.tag not in ("script", "iframe", "object", "base", "form")
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href"):
                assert value.startswith(("#", "data:"))


def test_the_same_runs_give_the_same_page(finished_run, alone, undrawn):
    assert page("x", subjects(finished_run)) == page("x", [alone])


def test_many_runs_are_listed_and_the_first_drawn(alone, undrawn):
    many = [
        Subject(replace(alone.record, label=f"r{k}", telemetry=None), alone.config, "x")
        for k in range(MOST_DRAWN + 2)
    ]
    root = parsed(page("x", many))
    assert len(rows(next(section(root, "Results").iter("table")))) == 1 + len(many)
    assert len(list(section(root, "Confusion").iter("h3"))) == MOST_DRAWN
    assert f"{MOST_DRAWN} of {len(many)} runs are drawn." in words(section(root, "Curves"))


def test_the_file_is_whole_or_not_there(alone, tmp_path, monkeypatch, undrawn):
    write_report(tmp_path / "a.html", "x", [alone])
    before = (tmp_path / "a.html").read_bytes()
    assert before.decode() == page("x", [alone])

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError):
        write_report(tmp_path / "a.html", "y", [alone])
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]
    assert (tmp_path / "a.html").read_bytes() == before
