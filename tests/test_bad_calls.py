"""The table of bad calls: every public function and class answers each by an InputError's line."""

import dataclasses
import importlib
import inspect
import re
from functools import partial

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
    whole = {"train_images": images, "train_labels": labels}
    whole |= {"test_images": images, "test_labels": labels}
    dataset, net, optim = bnn.data.from_arrays(**whole), small(), bnn.optim
    g, decay = np.ones(3, np.float32), {"lr": 1, "weight_decay": 1}

    def both():
        return optim.Split(binary=optim.Bop(), real=optim.SGD())

    training = {"net": net, "data": dataset, "epochs": 1, "batch_size": 2}
    swept = {"grid": {"gamma": [0.1, 0.2]}, "out": folder / "s", "options": {"optimizer": "bop"}}
    right = {
        "fit": partial(bnn.fit, optimizer=both(), **training),
        "lockstep": partial(bnn.lockstep, **training),
        "evaluate": partial(bnn.evaluate, net),
        "arrays": partial(bnn.data.from_arrays, **whole),
        "crop": partial(
            bnn.data.pad_crop_flip, images, offsets=np.zeros((4, 2), int), flips=np.zeros(4, bool)
        ),
        "verify": bnn.equivalences.verify,
        "sweep": partial(bnn.training.sweep, **swept),
        "bop_step": partial(optim.bop_step, g, g, optim.BopState(g), gamma=1, threshold=0),
        "bop2nd_step": partial(
            optim.bop2nd_step, g, g, optim.Bop2ndState(g, g), gamma=1, sigma=1, threshold=0
        ),
        "latent_sgd_step": partial(
            optim.latent_sgd_step, g, g, optim.LatentSGDState(None), **decay
        ),
        "inertia_sgd_step": partial(
            optim.inertia_sgd_step, g, g, optim.InertiaSGDState(g), **decay
        ),
    }
    rooms = {room: getattr(bnn, room) for room in ROOMS}
    own = {"images": images, "labels": labels, "dataset": dataset, "net": net, "folder": folder}
    others = {"other": small((4, 4, 1)), "fresh": small, "both": both, "g": g}
    return {"bnn": bnn, "np": np} | rooms | right | own | others


@pytest.mark.parametrize(("call", "line"), CALLS, ids=[call for call, _ in CALLS])
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


def test_every_public_callable_has_a_row(names):
    called = [eval(re.match(r"[\w.]+", call)[0], dict(names)) for call, _ in CALLS]
    called = {getattr(one, "func", one) for one in called}  # of a partial
    lacking = {
        name
        for name, thing in public()
        if callable(thing) and takes_arguments(thing) and not is_record(thing)
        if thing not in called
    }
    assert lacking == NONE.keys()
