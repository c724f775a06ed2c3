"""Published networks, and a small sibling for quick runs."""

from minibnn.zoo.binarynet import binarynet, digits_net

MODELS = {"binarynet": binarynet, "digits": digits_net}

__all__ = ["MODELS", "binarynet", "digits_net"]
