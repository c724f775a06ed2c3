"""Published networks and recipes, and a small network for quick runs."""

from minibnn.zoo.binarynet import binarynet, digits_net
from minibnn.zoo.recipes import RECIPES, Recipe

MODELS = {"binarynet": binarynet, "digits": digits_net}

__all__ = ["MODELS", "RECIPES", "Recipe", "binarynet", "digits_net"]
