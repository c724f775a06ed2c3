"""The layers; each has hand-written ``forward`` and ``backward``."""

from minibnn.nn.layers.activations import Flatten, ReLU, Sign
from minibnn.nn.layers.batch_norm import BatchNorm
from minibnn.nn.layers.layer import Layer
from minibnn.nn.layers.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from minibnn.nn.layers.products import BinaryConv2D, BinaryDense, Conv2D, Dense

__all__ = [
    "AvgPool2D",
    "BatchNorm",
    "BinaryConv2D",
    "BinaryDense",
    "Conv2D",
    "Dense",
    "Flatten",
    "GlobalAvgPool2D",
    "Layer",
    "MaxPool2D",
    "ReLU",
    "Sign",
]
