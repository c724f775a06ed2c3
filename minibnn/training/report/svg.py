"""Figures as SVG inside a page: text stays text, colours are the page's, no name is taken twice.

A colour of matplotlib becomes a variable of the page's style, so that a figure is light on dark
where the reader's system is; ids are renamed, as all figures share one document; the file's own
head, namespaces and metadata go.
"""

import io
import re
from contextlib import contextmanager
from html import escape
from xml.etree import ElementTree

from minibnn.training.plots.style import COLOURS, SETTINGS

INK = "#010203"  # stands for the page's colour of text while a figure is drawn
# What a figure's colours become; the page defines the variables, for light and dark.
VARIABLES = {colour.lower(): f"var(--c{k})" for k, colour in enumerate(COLOURS)}
VARIABLES |= {INK: "var(--ink)", "#000000": "var(--ink)", "#666666": "var(--grey)"}
_INKED = (
    "text.color",
    "axes.edgecolor",
    "axes.labelcolor",
    "axes.titlecolor",
    "xtick.color",
    "ytick.color",
)
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FAMILY = re.compile(r"'DejaVu Sans'[^;\"]*sans-serif")


@contextmanager
def drawing():
    """While it is open, new figures are drawn in the page's ink, on no ground of their own."""
    import matplotlib

    settings = dict.fromkeys(_INKED, INK)
    settings |= {"svg.fonttype": "none", "svg.hashsalt": "minibnn", "savefig.transparent": True}
    with SETTINGS, matplotlib.rc_context(settings):
        yield


class Figures:
    """Turns figures into SVG; one object for all of a page, as it also counts their ids."""

    def __init__(self):
        self._count = 0

    def svg(self, figure, words, css="figure"):
        """The element <svg> of a matplotlib figure.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
            Drawn within ``drawing``.
        words : str
            What it shows, for those who do not see it.
        css : str
            Its class.
        """
        file = io.BytesIO()
        with drawing():
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        root = ElementTree.fromstring(file.getvalue())
        _take_out(root, {"metadata", "style", "title"})
        self._rename(root)
        for element in root.iter():
            element.tag = element.tag.removeprefix(_SVG)
            if not (element.text or "").strip():
                element.text = None
            if not (element.tail or "").strip():
                element.tail = None
            for key in {"d", "x", "y", "transform"}.intersection(element.keys()):
                element.set(key, _shorter(element.get(key)))
            if style := element.get("style"):
                element.set("style", _FAMILY.sub("inherit", style))
            for space in (_XLINK, _SVG):
                for name in [name for name in element.keys() if name.startswith(space)]:
                    element.set(name.removeprefix(space), element.attrib.pop(name))
        view = root.get("viewBox")
        root.attrib.clear()
        root.attrib.update({"class": css, "viewBox": view, "role": "img", "aria-label": words})
        text = ElementTree.tostring(root, encoding="unicode")
        return re.sub(r"#[0-9a-f]{6}\b", lambda found: VARIABLES.get(found[0], found[0]), text)

    def _rename(self, root):
        """Ids that something refers to become short and unique, the others go."""
        text = " ".join(value for element in root.iter() for value in element.attrib.values())
        used = set(re.findall(r"#([\w.-]+)", text))
        names = {}
        for element in root.iter():
            name = element.attrib.pop("id", None)
            if name in used:
                self._count += 1
                names[name] = f"f{self._count}"
                element.set("id", names[name])
        for element in root.iter():
            for key, value in element.attrib.items():
                if "#" in value:
                    element.set(
                        key, re.sub(r"#([\w.-]+)", lambda f: f"#{names.get(f[1], f[1])}", value)
                    )


def _take_out(root, tags):
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.removeprefix(_SVG) in tags:
                parent.remove(child)


def _shorter(numbers):
    """Coordinates to a hundredth of a point: nobody sees more, and the page is half as large."""
    text = _NUMBER.sub(lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return " ".join(text.split())


def framed(svg, caption):
    """A <figure> with its caption, which is a text."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
