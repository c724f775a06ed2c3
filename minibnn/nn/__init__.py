"""Networks that hold only signs (and batch normalisation): layers, losses, Sequential, Residual."""

from minibnn.nn.chain import Residual
from minibnn.nn.layers import (
    AvgPool2D,
    BatchNorm,
    BinaryConv2D,
    BinaryDense,
    Conv2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    ReLU,
    Sign,
)
from minibnn.nn.losses import LOSSES, softmax_cross_entropy, squared_hinge
from minibnn.nn.network import Sequential, load_network
from minibnn.nn.own import register
from minibnn.nn.parameter import Parameter
from minibnn.nn.quantizers import approx_sign, ste_sign, swish_sign

__all__ = [
    "LOSSES",
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
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "Sign",
    "approx_sign",
    "load_network",
    "register",
    "softmax_cross_entropy",
    "squared_hinge",
    "ste_sign",
    "swish_sign",
]
