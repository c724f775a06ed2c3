"""Every network of the zoo, by the name that commands and recipes use."""

from collections.abc import Callable
from typing import Any

from minibnn.zoo.binary_alexnet import binary_alexnet
from minibnn.zoo.binarynet import binarynet, digits_net
from minibnn.zoo.birealnet import birealnet, birealnet_magnitude
from minibnn.zoo.xnornet import xnornet

MODELS: dict[str, Callable[..., Any]] = {
    "binarynet": binarynet,
    "digits": digits_net,
    "binary_alexnet": binary_alexnet,
    "xnornet": xnornet,
    "birealnet": birealnet,
    "birealnet_magnitude": birealnet_magnitude,
}
