"""Trained networks that come with the package, packed for inference."""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from minibnn.deploy import PackedNetwork
from minibnn.deploy import load as load_packed
from minibnn.errors import InputError, one_of


class Pretrained(NamedTuple):
    """What is on record of a trained network."""

    file: str  # beside this module
    sha256: str  # of the file
    accuracy: float  # on the test images, after the last epoch
    command: str  # that trains it anew
    digest: str  # of the trained network, as that command prints it


PRETRAINED = {
    "digits": Pretrained(
        "digits.bnn.npz",
        "f5da099680c93250ef1edae3e4ab90581208caa624b4b72ae92fc0f013bfaf38",
        0.9778,
        "minibnn compare --gradients int8",
        "ec2ba543f159",
    ),
    "binarynet-cifar10": Pretrained(
        "binarynet-cifar10.bnn.npz",
        "14e8a51f85b443f2b70139efeccad72301a2cd8c8ee205a9281ca106ed5e3507",
        0.8159,
        "minibnn train --recipe cifar10-quick",
        "bd3d838ed1df",
    ),
}


def pretrained(name: str) -> PackedNetwork:
    """A trained network by its name in ``PRETRAINED``, with the names of its classes.

    InputError for another name, and for a file that is not the one on record.

    >>> from minibnn import data
    >>> digits = data.load("digits")
    >>> images, labels = digits.test_images[1:6], digits.test_labels[1:6]
    >>> pretrained("digits").predict(images).argmax(axis=1) == labels
    array([ True,  True,  True,  True,  True])
    """
    record = PRETRAINED[one_of(name, "a pretrained network", PRETRAINED)]
    path = Path(__file__).with_name(record.file)
    if sha256(path.read_bytes()).hexdigest() != record.sha256:
        raise InputError(f"{path} is not the network {name} on record: install minibnn anew")
    return load_packed(path)
