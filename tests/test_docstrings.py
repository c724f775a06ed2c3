"""Public docstrings fit the signatures, and their examples print what they say.

Public is what a wing's ``__all__`` names, and the methods of its classes. The kernels share the
docstrings of their reference twins. A docstring has a summary of one line; each parameter is named
in it or has its type in the signature; a section Parameters names only what the signature has.
"""

import doctest
import inspect
import pkgutil
import re
from importlib import import_module

import pytest

import minibnn
from minibnn import nn, optim, zoo

WINGS = {
    *("bench", "data", "deploy", "equivalences", "nn", "ops.reference", "optim"),
    *("training", "training.plots", "zoo"),
}
ALSO = {"errors.InputError", "ops.backend.use_backend", "ops.bits.Signs"}
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


def faults(name, thing):
    """What is wrong with a docstring, in words."""
    text = inspect.getdoc(thing) or ""
    summary, _, rest = text.partition("\n")
    found = [] if summary.endswith((".", ":", "?")) and rest[:1] in ("", "\n") else ["no summary"]
    bare = getattr(thing, "fget", None) or getattr(thing, "__func__", thing)
    own = not inspect.isclass(thing) or "__init__" in vars(thing) or "__new__" in vars(thing)
    parameters = dict(inspect.signature(bare).parameters) if own else {}
    for key, parameter in parameters.items():
        untyped = parameter.annotation is inspect.Parameter.empty
        if key not in ("self", "cls") and untyped and not re.search(rf"\b{key}\b", text):
            found.append(f"says nothing of {key}")
    _, _, section = text.partition("Parameters\n----------\n")
    for line in re.split(r"\n\w+\n---", section)[0].splitlines():
        for key in re.split(r"[,:]", line.partition(" : ")[0]) if line[:1].strip() else ():
            if own and key.strip(" *") not in parameters:
                found.append(f"knows a {key.strip()}, which the signature does not")
    return [f"{name}: {words}" for words in found]


@pytest.mark.parametrize("wing", sorted({".".join(n.split(".")[:2]) for n in public()}))
def test_public_docstrings_are_complete(wing):
    mine = {n: thing for n, thing in public().items() if n.startswith(f"{wing}.")}
    assert mine
    assert not [fault for name, thing in mine.items() for fault in faults(name, thing)]


def test_the_check_sees_what_is_missing():
    name = f"{__name__}.unfinished"
    found = [fault.removeprefix(f"{name}: ") for fault in faults(name, unfinished)]
    assert found == ["no summary", "says nothing of x", "knows a y, which the signature does not"]


def unfinished(x):
    """Something
    over two lines.

    Parameters
    ----------
    y : int
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
