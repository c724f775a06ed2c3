"""How a network leaves: packed into bits and integer thresholds, in files, in other formats."""

from minibnn.deploy.network import PackedNetwork, load
from minibnn.deploy.pack import pack

__all__ = ["PackedNetwork", "load", "pack"]
