"""Trained networks that come with the package, packed for inference."""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from minibnn.deploy import PackedNetwork
from minibnn.deploy import load as load_packed
from minibnn.errors import InputError, one_of


class Pretrained(NamedTuple):
    """What is on record of a trained network."""

    sha256: str  # of the file NAME.bnn.npz beside this module
    accuracy: float  # on the test images, after the last epoch
    command: str  # that trains it anew
    digest: str  # of the trained network, as that command prints it


PRETRAINED = {
    "digits": Pretrained(
        "0ce2d8a9f9480e35c06d008fe65c5c7c961c71db7f8ceb2c4b7581ff965425d2",
        0.9778,
        "minibnn compare --gradients int8",
        "ec2ba543f159",
    ),
    "binarynet-cifar10": Pretrained(
        "f6a096621da785d1813c71462d96b8bd31374bbb1057add210413127e9659d4c",
        0.8712,
        "minibnn train --recipe cifar10-hour --epochs 56 --bn-momentum 0.99 --cutout --out RUN"
        " && minibnn train --resume --out RUN --epochs 104 --gradients int10"
        " --set gamma=poly:3.3e-4:3e-6:1.5 --set real.lr=poly:3.3e-3:1e-4:1.5",
        "d0367f2e5a7a",
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
    path = Path(__file__).with_name(f"{name}.bnn.npz")
    if sha256(path.read_bytes()).hexdigest() != record.sha256:
        raise InputError(f"{path} is not the network {name} on record: install minibnn anew")
    return load_packed(path)
