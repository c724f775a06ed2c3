"""Public docstrings are in numpydoc form, fit the signatures, and their examples print what they
say.

Public is what a wing's ``__all__`` names, and the methods of its classes. The kernels share the
docstrings of their reference twins. Of numpydoc's own checks those are used that a reader misses
when they fail (``RULES``); what it wants besides, such as a See Also for everything or a sentence
behind a type that says all, is a matter of taste.
"""

import doctest
import inspect
import pkgutil
from importlib import import_module

import pytest

import minibnn
from minibnn import nn, optim, zoo

WINGS = {
    *("bench", "data", "deploy", "equivalences", "nn", "ops.reference", "optim"),
    *("training", "training.plots", "zoo"),
}
ALSO = {"errors.InputError", "ops.backend.use_backend", "ops.bits.Signs"}
RULES = {
    "GL06": "an unknown section",
    "GL07": "sections in another order than numpydoc's",
    "GL08": "no docstring",
    "SS01": "no summary",
    "SS06": "a summary of more than one line",
    "PR01": "parameters of the signature that are not documented",
    "PR02": "documented parameters that are not in the signature",
    "PR03": "parameters in another order",
    "PR04": "a parameter without a type",
    "RT01": "something is returned, and not documented",
    "YD01": "something is yielded, and not documented",
}
DESCRIPTORS = (property, classmethod, staticmethod)
# Modules that no import may start.
PROGRAMS = {"minibnn.__main__", "minibnn.cli.cell"}


def modules():
    """Names of all modules but the kernels', whose examples are their twins'."""
    found = (module.name for module in pkgutil.walk_packages(minibnn.__path__, "minibnn."))
    return sorted(n for n in found if n not in PROGRAMS and not n.startswith("minibnn.ops.kernels"))


def public():
    """{full name: object} of what is checked."""
    found = {}
    for wing in sorted(WINGS):
        module = import_module(f"minibnn.{wing}")
        for name in module.__all__:
            thing = getattr(module, name)
            own = getattr(thing, "__module__", "").startswith("minibnn")
            if own and (inspect.isclass(thing) or inspect.isroutine(thing)):
                found |= members(thing)
    for path in sorted(ALSO):
        module, _, name = path.rpartition(".")
        found |= members(getattr(import_module(f"minibnn.{module}"), name))
    return found


def members(thing):
    """A function; or a class and its methods that have no docstring to inherit."""
    name = f"{thing.__module__}.{thing.__qualname__}"
    found = {name: thing}
    for key, value in vars(thing).items() if inspect.isclass(thing) else ():
        if not (inspect.isfunction(value) or isinstance(value, DESCRIPTORS)):
            continue
        bare = getattr(value, "fget", None) or getattr(value, "__func__", value)
        inherits = not bare.__doc__ and any(hasattr(base, key) for base in thing.__mro__[1:])
        defined_here = getattr(bare, "__qualname__", "") == f"{thing.__qualname__}.{key}"
        if not key.startswith("_") and defined_here and not inherits:
            found[f"{name}.{key}"] = value
    return found


def named(thing, section):
    """What a section of a class's docstring tells of."""
    from numpydoc.docscrape import ClassDoc

    entries = ClassDoc(thing, config={"show_class_members": False})[section]
    return {name.strip() for entry in entries for name in entry.name.split(",")}


def faults(name, thing):
    """What is wrong with a docstring, in words."""
    from numpydoc.validate import validate

    found = [(code, words) for code, words in validate(name)["errors"] if code in RULES]
    if inspect.isclass(thing):
        own = "__init__" in vars(thing) or "__new__" in vars(thing)
        wanted = set(inspect.signature(thing).parameters) if own else set()
        # The fields of a dataclass may stand under Attributes.
        missing = wanted - named(thing, "Parameters") - named(thing, "Attributes")
        found = [fault for fault in found if fault[0] != "PR01"]
        found += [("PR01", f"{missing} not documented")] * bool(missing)
    text = inspect.getdoc(thing) or ""
    sections = "\n---" in text
    if ">>> " in text and sections and "Examples\n--------\n" not in text:
        found.append(("", "examples outside of the section Examples"))
    return [f"{name}: {code} {words}" for code, words in found]


@pytest.mark.parametrize("wing", sorted({".".join(n.split(".")[:2]) for n in public()}))
def test_public_docstrings_are_complete(wing):
    pytest.importorskip("numpydoc", reason="the check of docstrings needs numpydoc (extra: dev)")
    mine = {n: thing for n, thing in public().items() if n.startswith(f"{wing}.")}
    assert mine
    assert not [fault for name, thing in mine.items() for fault in faults(name, thing)]


def test_the_check_sees_what_is_missing():
    pytest.importorskip("numpydoc", reason="the check of docstrings needs numpydoc (extra: dev)")
    name = f"{__name__}.unfinished"
    codes = {fault.split()[1] for fault in faults(name, unfinished)}
    assert codes >= {"PR01", "PR02", "RT01"}


def unfinished(x):
    """Something.

    Parameters
    ----------
    y : int

    >>> 1
    1
    """
    return x


def test_much_is_public():
    assert len(public()) > 250


@pytest.mark.parametrize("name", modules())
def test_examples_print_what_they_say(name):
    assert doctest.testmod(import_module(name)).failed == 0


def test_what_is_used_most_has_an_example():
    finder = doctest.DocTestFinder()
    steps = [getattr(optim, name) for name in optim.__all__ if name.endswith("_step")]
    assert len(steps) >= 10
    others = [
        minibnn.data.from_arrays,
        minibnn.data.pad_crop_flip,
        minibnn.deploy.pack,
        minibnn.equivalences.verify,
        minibnn.fit,
        minibnn.lockstep,
        minibnn.evaluate,
        nn.Sequential,
        nn.BinaryConv2D,
        nn.softmax_cross_entropy,
        nn.squared_hinge,
        optim.Split,
        optim.parse_optimizer,
        zoo.digits_net,
    ]
    for thing in (*steps, *others):
        assert any(test.examples for test in finder.find(thing, globs={})), thing.__name__
