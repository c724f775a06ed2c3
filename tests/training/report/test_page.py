"""The page of a report, read by an XML parser: what is on it, and that nothing else gets in."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from small_runs import compare, fit, small_data

from minibnn.training import load
from minibnn.training.measure import measure
from minibnn.training.plots import Record, find_runs
from minibnn.training.report import MOST_DRAWN, Subject, check_report_path, page, write_report
from minibnn.training.report.svg import Figures
from minibnn.training.run_folder import read_config

NASTY = '<script>alert("x")</script>&\'$x^'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A comparison and a run."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minibnn.training.plots.draw_curves", lambda path, _: path.touch())
        compare(folder / "both", epochs=2)
        fit(folder / "alone", epochs=3)
    return folder


def subjects(*folders, confusion=True):
    return [
        Subject(
            record,
            read_config(record.folder),
            measure(load(record.folder), small_data()) if confusion else "the pictures are away",
        )
        for record in find_runs(folders)
    ]


@pytest.fixture(scope="module")
def alone(folder):
    """The Subject of the run, measured."""
    (found,) = subjects(folder / "alone")
    return found


@pytest.fixture(scope="module")
def pages(folder, alone):
    """The text of the comparison's page and of one of the comparison and the run."""
    both = subjects(folder / "both")
    commands = ["minibnn compare --epochs 2"]
    return {
        "both": page("A title", both, commands=commands),
        "all": page("x", [*both, alone]),
        "alone": page("x", [alone]),
    }


@pytest.fixture
def undrawn(monkeypatch):
    """A stand-in for every figure, where a test is about other things."""
    monkeypatch.setattr(Figures, "svg", lambda *_: "<svg/>")


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


def test_a_comparison(folder, pages):
    root = parsed(pages["both"])
    assert [root.find("head/title").text, root.find("body/header/h1").text] == ["A title"] * 2
    headings = [one[0].text for one in root.iter("section")]
    assert headings == [
        "Results", "Curves", "Agreement", "Layers", "Confusion", "Configuration", "Network",
        "The command that repeats it",
    ]  # fmt: skip
    (results,) = section(root, "Results").iter("table")
    assert [row[0] for row in rows(results)] == ["run", "bop", "latent-sgd"]
    last = find_runs([folder / "both"])[0].history.last
    assert f"{100 * last['test_accuracy']:.2f} %" in rows(results)[1]
    captions = [words(one) for one in section(root, "Curves").iter("figcaption")]
    assert len(captions) == len(list(section(root, "Curves").iter("figure"))) == 4
    assert captions[0] == "Accuracy: test pictures, dotted training pictures"
    assert words(section(root, "Agreement").find("ul")) == "bop and latent-sgd"
    layers = section(root, "Layers")
    headings = [one.text for one in layers.iter("h3")]
    assert headings[:2] == ["Flips per step, by layer", "Never flipped, by layer"]
    assert {h.split(": ")[-1] for h in headings[2:]} == {"|m| / threshold", "|latent|"}
    assert len(list(layers.iter("figure"))) == 4 * 4
    (network,) = section(root, "Network").iter("table")
    assert len(rows(network)) == 1 + len(load(folder / "alone").summary()) + 1
    assert words(root.find(".//pre[@class='command']")) == "minibnn compare --epochs 2"


def test_every_figure_has_lines_and_texts(pages):
    for figure in parsed(pages["alone"]).iter("figure"):
        (svg,) = figure.iter("svg")
        assert len([path for path in svg.iter("path") if "var(--c0)" in path.get("style")]) > 0
        assert [text for text in svg.iter("text") if words(text)]


def test_confusion(alone, pages):
    found = alone
    part = section(parsed(pages["alone"]), "Confusion")
    table = rows(next(part.iter("table")))
    assert table[0] == ["class \\ answer", *"0123456789"]
    matrix = found.confusion.confusion
    shares = 100 * matrix / matrix.sum(1, keepdims=True)
    for name, line, counts, row in zip("0123456789", table[1:], matrix, shares, strict=True):
        expected = [f"{x:.1f}" if n else "" for n, x in zip(counts, row, strict=True)]
        assert line == [name, *expected]
    strong = {cell.get("style") for cell in part.iter("td") if words(cell) == "100.0"}
    assert strong <= {"background:rgb(0 114 178 / 0.55)"}
    accuracy = found.confusion.evaluation.accuracy
    assert f"{100 * accuracy:.2f} % of 53 test pictures right, after epoch 3" in words(part)


def test_confusion_of_many_classes_is_a_picture_and_the_worst_mistakes(alone):
    found = Subject(Record("a", None, alone.record.history), alone.config, alone.confusion)
    few = found.confusion
    matrix = np.zeros((25, 25), np.int64)
    matrix[:10, :10], matrix[20, 3] = few.confusion, 99
    many = type(few)(few.evaluation, matrix, 1.0, tuple(f"{NASTY}{k}" for k in range(25)))
    part = section(parsed(page("x", [Subject(found.record, found.config, many)])), "Confusion")
    (image, _bar) = part.iter("image")  # of the shares, and of their scale
    assert image.get("href").startswith("data:image/png;base64,")
    assert rows(next(part.iter("table")))[1][:3] == [f"{NASTY}20", f"{NASTY}3", "99"]


def test_why_there_is_no_confusion(folder, undrawn):
    root = parsed(page("x", subjects(folder / "alone", confusion=False)))
    assert "Not measured: the pictures are away" in words(section(root, "Confusion"))


def test_settings(pages):
    table = next(section(parsed(pages["all"]), "Configuration").iter("table"))
    found = {row[0]: row[1:] for row in rows(table)}
    assert found["setting"] == ["bop", "latent-sgd", "alone"]
    assert found["seed"] == ["1"]  # one cell for all
    assert found["epochs"] == ["2", "2", "3"]
    assert found["optimizer"][0].startswith("bop:gamma=0.01,threshold=1e-06")
    assert found["real optimizer"] == ["adam:lr=0.01,beta_1=0.9,beta_2=0.999,epsilon=1e-07"]
    assert found["images"] == ["digits: 210 + 53 of 8x8x1, 10 classes"]


def test_no_text_becomes_markup(alone):
    found = alone
    names = tuple(f"{NASTY}{k}" for k in range(10))
    confusion = type(found.confusion)(
        found.confusion.evaluation, found.confusion.confusion, 1.0, names
    )
    record = Record(NASTY, found.record.folder, found.record.history, dict(found.record.telemetry))
    record.telemetry["layers"] = np.array([f"{NASTY}{k}" for k in range(4)])
    network = found.config["network"] | {"name": NASTY}
    config = {**found.config, "options": {"recipe": NASTY}, "minibnn": NASTY, "network": network}
    away = Record(f"{NASTY}2", found.record.folder, found.record.history)
    text = page(
        NASTY,
        [Subject(record, config, confusion), Subject(away, config, NASTY)],
        commands=[NASTY],
    )
    assert "<script" not in text
    assert NASTY not in text
    root = parsed(text)
    assert root.find("head/title").text == NASTY
    assert words(root.find(".//pre[@class='command']")) == NASTY
    assert names[3] in rows(next(section(root, "Confusion").iter("table")))[0]
    assert f"Not measured: {NASTY}" in words(section(root, "Confusion"))
    assert f"Without telemetry, so not drawn here: {NASTY}2." in words(section(root, "Layers"))


@pytest.mark.parametrize("which", ["both", "alone"])
def test_it_loads_nothing(pages, which):
    text = pages[which]
    assert not re.search(r"https?:|//\w", text)
    assert not re.search(r"@import|url\((?!#)", text)
    for element in parsed(text).iter():
        assert element.tag not in ("script", "iframe", "object", "img", "base", "form")
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href"):
                assert value.startswith(("#", "data:"))


def test_the_same_runs_give_the_same_page(folder, pages):
    assert page("x", subjects(folder / "alone")) == pages["alone"]


def test_many_runs_are_listed_and_the_first_drawn(alone, undrawn):
    found = alone
    many = [
        Subject(Record(f"r{k}", found.record.folder, found.record.history), found.config, "x")
        for k in range(MOST_DRAWN + 2)
    ]
    root = parsed(page("x", many))
    assert len(rows(next(section(root, "Results").iter("table")))) == 1 + len(many)
    assert len(section(root, "Curves").findall("ul/li")) == MOST_DRAWN
    assert f"{MOST_DRAWN} of {len(many)} runs are drawn." in words(section(root, "Curves"))


def test_the_file_is_whole_or_not_there(folder, tmp_path, monkeypatch, undrawn):
    found = subjects(folder / "alone", confusion=False)
    write_report(tmp_path / "a.html", "x", found)
    before = (tmp_path / "a.html").read_bytes()
    assert before.decode() == page("x", found)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError):
        write_report(tmp_path / "a.html", "y", found)
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]
    assert (tmp_path / "a.html").read_bytes() == before


@pytest.mark.parametrize("name", ["a.pdf", "a", "folder.html"])
def test_names_that_are_no_page(tmp_path, name):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ValueError, match=r"a report must (end in \.html or \.htm|be a file)"):
        check_report_path(tmp_path / name)
