"""Published networks and recipes, and a small network for quick runs."""

from minibnn.zoo.networks import (
    MODELS,
    binary_alexnet,
    binarynet,
    birealnet,
    birealnet_magnitude,
    digits_net,
    xnornet,
)
from minibnn.zoo.recipes import RECIPES, Recipe
from minibnn.zoo.trained import PRETRAINED, pretrained

__all__ = [
    "MODELS", "PRETRAINED", "RECIPES", "Recipe", "binary_alexnet", "binarynet", "birealnet",
    "birealnet_magnitude", "digits_net", "pretrained", "xnornet",
]  # fmt: skip
