"""Batch normalisation, the only real numbers in BinaryNet."""

import math

import numpy as np

from minibnn.errors import InputError, number
from minibnn.nn.layers.layer import Layer, Parameter, as_array
from minibnn.ops.backend import ops
from minibnn.ops.fixed import INPUT_WIDTH, LOSS_WIDTH, Fixed
from minibnn.ops.rounding import bn_factor


class BatchNorm(Layer):
    """y = [gamma] (x - mean) / sqrt(variance + epsilon) + [beta], per channel (the last axis).

    Training uses the batch's mean and biased variance; evaluation uses moving ones, which start
    at 0 and 1 and take 1 - momentum of each batch's mean and unbiased variance (N / (N - 1)), as
    the paper of batch normalisation (arXiv 1502.03167) and Keras' fused path do. Keras takes that
    path for images only: behind its dense layers the moving variance is the biased one.

    ``scale`` and ``center`` say whether there is a gamma, and a beta. ``momentum`` in [0, 1) is how
    much the moving statistics keep; ``epsilon`` is above 0. Defaults are Keras', but for ``scale``.
    """

    prefix = "batch_norm"
    kept = ("moving_mean", "moving_variance")
    takes_fixed = True
    rounds_for = None  # the binary layer before, for which dx is rounded to integers here already

    def __init__(self, scale=False, center=True, momentum=0.99, epsilon=1e-3):
        self.scale, self.center = bool(scale), bool(center)
        self.momentum = number(momentum, "momentum", "in [0, 1)", lambda x: 0 <= x < 1)
        positive = "a float32 above 0"
        self.epsilon = number(epsilon, "epsilon", positive, lambda x: 1e-38 < x < 1e38)

    def arrays(self, input_shape):
        own = ["gamma"] * self.scale + ["beta"] * self.center + [*self.kept]
        return dict.fromkeys(own, (np.float32, input_shape[-1:]))

    def build(self, input_shape, rng):
        channels, self.rounds_for = input_shape[-1], None  # until ``fuse`` knows it
        self.places = math.prod(input_shape[:-1])  # of a sample, that a statistic goes over
        self.gamma = Parameter(f"{self.name}/gamma", np.ones(channels))
        self.beta = Parameter(f"{self.name}/beta", np.zeros(channels))
        self.moving_mean = np.zeros(channels, np.float32)
        self.moving_variance = np.ones(channels, np.float32)

    def parameters(self):
        return [self.gamma] * self.scale + [self.beta] * self.center

    def check_state(self, arrays):
        super().check_state(arrays)
        if not (np.asarray(arrays["moving_variance"]) >= 0).all():
            raise InputError(f"{self.name}/moving_variance must not be below 0")

    def forward(self, x, training=False):
        return ops.batch_norm(*self.normalisation(x, training))

    def normalisation(self, x, training):
        """The arguments of ``ops.batch_norm``; keeps them, and moves the statistics in training.

        With integer gradients, training rounds floats x to fixed point: statistics are exact sums.
        """
        x = x if isinstance(x, Fixed) else as_array(x)
        dtype = np.dtype(np.float32)
        if not isinstance(x, Fixed) and np.issubdtype(x.dtype, np.floating):
            if training and self.gradient_bits:
                x = ops.to_fixed(x, INPUT_WIDTH, self.across)
            else:
                dtype = x.dtype
        if training:
            mean, variance = ops.batch_statistics(x, self.across)
            n = x.size // x.shape[-1] * (self.across.size if self.across else 1)
            unbiased = variance * (n / max(n - 1, 1))
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
                moving *= np.float32(self.momentum)
                moving += np.float32(1 - self.momentum) * new.astype(np.float32)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        mean, variance = mean.astype(dtype), variance.astype(dtype)
        gamma = self.gamma.value if self.scale else None
        self.x, self.training, self.mean, self.variance = x, training, mean, variance
        return x, mean, variance, self.beta.value, self.epsilon, gamma

    def backward(self, dy, need_dx=True, gate=None):
        """``Layer.backward(dy, need_dx)``; ``gate`` is that of a sign in the same pass."""
        if self.gradient_bits and self.training:  # sums are exact then
            dy = dy if isinstance(dy, Fixed) else ops.to_fixed(dy, LOSS_WIDTH, self.across)
        elif isinstance(dy, Fixed):
            dy = dy.floats()
        gamma, layer = self.gamma.value if self.scale else None, self.rounds_for
        rounds = self.training and layer is not None and layer.across is self.across
        bits = self.gradient_bits if rounds else None
        kept = self.x, self.mean, self.variance, self.epsilon, gamma, self.across, bits
        if gate is None:
            dx, self.gamma.grad, self.beta.grad = ops.batch_norm_grad(dy, *kept)
        else:
            dx, self.gamma.grad, self.beta.grad = ops.batch_norm_sign_grad(dy, gate, *kept)
        if not self.training:  # the statistics are fixed: a plain scaling
            dy = dy if gate is None else np.where(gate.unpack() > 0, dy, dy.dtype.type(0))
            dx = dy * bn_factor(self.variance, self.epsilon, gamma)
        return dx if need_dx else None
