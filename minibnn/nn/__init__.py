"""Networks that hold only signs (and batch normalisation): layers, losses, Sequential, Residual."""

from minibnn.nn.chain import Flatten, Residual
from minibnn.nn.layers.activations import ReLU, Sign
from minibnn.nn.layers.batch_norm import BatchNorm
from minibnn.nn.layers.layer import Layer, Parameter
from minibnn.nn.layers.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from minibnn.nn.layers.products import BinaryConv2D, BinaryDense, Conv2D, Dense
from minibnn.nn.losses import LOSSES, softmax_cross_entropy, squared_hinge
from minibnn.nn.network import Sequential, load_network
from minibnn.nn.own import register
from minibnn.nn.quantizers import approx_sign, ste_sign, swish_sign

__all__ = [
    "LOSSES", "AvgPool2D", "BatchNorm", "BinaryConv2D", "BinaryDense", "Conv2D", "Dense", "Flatten",
    "GlobalAvgPool2D", "Layer", "MaxPool2D", "Parameter", "ReLU", "Residual", "Sequential", "Sign",
    "approx_sign", "load_network", "register", "softmax_cross_entropy", "squared_hinge", "ste_sign",
    "swish_sign",
]  # fmt: skip
