"""Published networks and recipes, and a small network for quick runs."""

from minibnn.zoo.binary_alexnet import binary_alexnet
from minibnn.zoo.binarynet import binarynet, digits_net
from minibnn.zoo.birealnet import birealnet, birealnet_magnitude
from minibnn.zoo.models import MODELS
from minibnn.zoo.recipes import RECIPES, Recipe
from minibnn.zoo.trained import PRETRAINED, pretrained
from minibnn.zoo.xnornet import xnornet

__all__ = [
    "MODELS",
    "PRETRAINED",
    "RECIPES",
    "Recipe",
    "binary_alexnet",
    "binarynet",
    "birealnet",
    "birealnet_magnitude",
    "digits_net",
    "pretrained",
    "xnornet",
]
