"""How a network leaves: packed into bits and integer thresholds, in files, in other formats."""

from minibnn.deploy.pack import PackedNetwork, load, pack

__all__ = ["PackedNetwork", "load", "pack"]
