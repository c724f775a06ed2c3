"""Published networks and recipes, and a small network for quick runs."""

from minibnn.zoo.binary_alexnet import binary_alexnet
from minibnn.zoo.binarynet import binarynet, digits_net
from minibnn.zoo.birealnet import birealnet
from minibnn.zoo.recipes import RECIPES, Recipe
from minibnn.zoo.xnornet import xnornet

MODELS = {
    "binarynet": binarynet,
    "digits": digits_net,
    "binary_alexnet": binary_alexnet,
    "xnornet": xnornet,
    "birealnet": birealnet,
}

__all__ = [
    "MODELS",
    "RECIPES",
    "Recipe",
    "binary_alexnet",
    "binarynet",
    "birealnet",
    "digits_net",
    "xnornet",
]
