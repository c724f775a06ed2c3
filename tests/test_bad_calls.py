"""The table of bad calls: every public function and class answers each by an InputError's line."""

import dataclasses
import importlib
import inspect
import re

import numpy as np
import pytest
from bad_calls import CALLS, NONE

import minibnn as bnn
from minibnn.errors import InputError

ROOMS = ("data", "deploy", "equivalences", "nn", "optim", "training", "zoo")


def small(shape=(8, 8, 1)):
    layers = [bnn.nn.BinaryConv2D(2, 3), bnn.nn.BatchNorm(), bnn.nn.Flatten(), bnn.nn.Sign()]
    return bnn.nn.Sequential([*layers, bnn.nn.BinaryDense(2), bnn.nn.BatchNorm()], shape)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the calls of the table know by name."""
    folder = tmp_path_factory.mktemp("calls")
    (folder / "text.txt").write_text("text")
    images, labels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1), np.arange(4) % 2
    return {
        "bnn": bnn,
        "np": np,
        "nn": bnn.nn,
        "optim": bnn.optim,
        "folder": folder,
        "images": images,
        "labels": labels,
        "data": bnn.data.from_arrays(images, labels, images, labels),
        "net": small(),
        "other": small((4, 4, 1)),
        "fresh": small,
        "both": lambda: bnn.optim.Split(binary=bnn.optim.Bop(), real=bnn.optim.SGD()),
        "w": np.ones(3, np.float32),
        "g": np.ones(3, np.float32),
        "SWEEP": {"gamma": [0.1, 0.2]},
        "BOP": {"optimizer": "bop"},
        "SECOND": {"gamma": 1, "sigma": 1, "threshold": 0},
        "DECAY": {"lr": 1, "decay": "x", "weight_decay": 1},
    }


@pytest.mark.parametrize(
    ("call", "line"),
    [pytest.param(*row, id=row[0]) for rows in CALLS.values() for row in rows],
)
def test_bad_call(names, use_backend, call, line):
    use_backend("reference")
    with pytest.raises(InputError) as caught:
        eval(call, dict(names))
    found = str(caught.value)
    assert found.isprintable()
    assert re.fullmatch(".*".join(map(re.escape, line.split("..."))), found), found
    assert [path.name for path in names["folder"].iterdir()] == ["text.txt"]


def public():
    """(name, callable) of all that can be called with arguments one can get wrong."""
    yield from ((name, getattr(bnn, name)) for name in bnn.__all__)
    for room in ROOMS:
        module = importlib.import_module(f"minibnn.{room}")
        yield from ((f"{room}.{name}", getattr(module, name)) for name in module.__all__)


def is_record(thing):
    """A NamedTuple or dataclass that only holds what is put into it."""
    if not inspect.isclass(thing):
        return False
    return issubclass(thing, tuple) or (
        dataclasses.is_dataclass(thing) and not hasattr(thing, "__post_init__")
    )


def takes_arguments(thing):
    try:
        return bool(inspect.signature(thing).parameters)
    except ValueError:
        return True


def test_every_public_callable_has_a_row():
    known = {name.rpartition(".")[2] for name in CALLS}
    lacking = [
        name
        for name, thing in public()
        if callable(thing) and takes_arguments(thing) and not is_record(thing)
        if name not in CALLS and name not in NONE and name.rpartition(".")[2] not in known
    ]
    assert not lacking


def test_every_row_is_of_a_public_callable():
    there = {name for name, thing in public() if callable(thing)}
    assert CALLS.keys() | NONE.keys() <= there
    assert not CALLS.keys() & NONE.keys()
