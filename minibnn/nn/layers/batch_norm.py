"""Batch normalisation, the only real numbers in the paper's networks."""

import math
from numbers import Real

import numpy as np

from minibnn.errors import InputError
from minibnn.nn.layers.layer import Layer, numbers
from minibnn.nn.parameter import Parameter
from minibnn.ops.backend import ops
from minibnn.ops.fixed import INPUT_WIDTH, LOSS_WIDTH, Fixed
from minibnn.ops.rounding import bn_factor


class BatchNorm(Layer):
    """y = [gamma] (x - mean) / sqrt(variance + epsilon) + [beta], per channel (the last axis).

    Training uses the batch's mean and biased variance; evaluation uses moving ones, which start
    at 0 and 1 and take 1 - momentum of each batch's mean and unbiased variance (N / (N - 1)), as
    the paper of batch normalisation (arXiv 1502.03167) and Keras' fused path do. Keras takes that
    path for pictures only: behind its dense layers the moving variance is the biased one.

    Parameters
    ----------
    scale, center : bool
        Whether there is a gamma, and a beta. Without a scale sign(BatchNorm(x)) is one threshold
        per channel.
    momentum : float
        In [0, 1): how much the moving statistics keep.
    epsilon : float
        Above 0. Defaults are Keras', but for ``scale``.

    Raises
    ------
    InputError
        For a value out of range.
    """

    prefix = "batch_norm"
    arguments = ("scale", "center", "momentum", "epsilon")
    takes_fixed = True

    def __init__(self, scale=False, center=True, momentum=0.99, epsilon=1e-3):
        if not isinstance(momentum, Real) or not 0 <= momentum < 1:
            raise InputError(f"momentum must be in [0, 1), found {momentum!r}")
        if not isinstance(epsilon, Real) or not 0 < epsilon < math.inf:
            raise InputError(f"epsilon must be above 0, found {epsilon!r}")
        self.scale, self.center = bool(scale), bool(center)
        self.momentum, self.epsilon = float(momentum), float(epsilon)
        self.beta = self.gamma = None

    def arrays(self, input_shape):
        own = ["gamma"] * self.scale + ["beta"] * self.center + ["moving_mean", "moving_variance"]
        return dict.fromkeys(own, (np.float32, input_shape[-1:]))

    def build(self, input_shape, rng):
        channels = input_shape[-1]
        self.places = math.prod(input_shape[:-1])  # of a sample, that a statistic goes over
        self.gamma = Parameter(f"{self.name}/gamma", np.ones(channels))
        self.beta = Parameter(f"{self.name}/beta", np.zeros(channels))
        self.moving_mean = np.zeros(channels, np.float32)
        self.moving_variance = np.ones(channels, np.float32)

    def parameters(self):
        return [self.gamma] * self.scale + [self.beta] * self.center

    def state(self):
        return {
            "moving_mean": self.moving_mean.copy(),
            "moving_variance": self.moving_variance.copy(),
        }

    def check_state(self, arrays):
        super().check_state(arrays)
        if (np.asarray(arrays["moving_variance"]) < 0).any():
            raise InputError(f"{self.name}/moving_variance must not be below 0")

    def load_state(self, arrays):
        self.moving_mean[...] = arrays["moving_mean"]
        self.moving_variance[...] = arrays["moving_variance"]

    def forward(self, x, training=False):
        return ops.batch_norm(*self.normalisation(x, training))

    def normalisation(self, x, training):
        """Arguments of ``batch_norm``; keeps them for backward and moves the moving statistics.

        Parameters
        ----------
        x : (..., C) float or integer array, Signs, bytes or Fixed
        training : bool
            With integer gradients, floats are rounded to fixed point then, so that statistics are
            exact sums.

        Returns
        -------
        tuple
        """
        x = x if isinstance(x, Fixed) else numbers(x)
        dtype = np.dtype(np.float32)
        if not isinstance(x, Fixed) and np.issubdtype(x.dtype, np.floating):
            if training and self.gradient_bits:
                x = ops.to_fixed(x, INPUT_WIDTH, self.across)
            else:
                dtype = x.dtype
        if training:
            mean, variance = ops.batch_statistics(x, self.across)
            n = x.size // x.shape[-1]
            self._move(mean, variance, n * self.across.size if self.across else n)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        mean, variance = mean.astype(dtype), variance.astype(dtype)
        self.x, self.training, self.mean, self.variance = x, training, mean, variance
        return x, mean, variance, self.beta.value, self.epsilon, self.gamma_value()

    def backward(self, dy, need_dx=True):
        dy = self.exact(dy)
        arguments = dy, self.x, self.mean, self.variance, self.epsilon, self.gamma_value()
        dx, self.gamma.grad, self.beta.grad = ops.batch_norm_grad(*arguments, self.across)
        if not self.training:
            dx = self.scaled(numbers(dy))
        return dx if need_dx else None

    def exact(self, dy):
        """dy as its sums can be exact: with integer gradients Fixed, else floats.

        Parameters
        ----------
        dy : (..., C) float array or Fixed

        Returns
        -------
        float array or Fixed
        """
        if self.gradient_bits and self.training:
            return dy if isinstance(dy, Fixed) else ops.to_fixed(dy, LOSS_WIDTH, self.across)
        return numbers(dy)

    def scaled(self, dy):
        """dx where the statistics are fixed, as in evaluation: a plain scaling.

        Parameters
        ----------
        dy : (..., C) float

        Returns
        -------
        dx : like dy
        """
        return dy * bn_factor(self.variance, self.epsilon, self.gamma_value())

    def gamma_value(self):
        """The factor, if there is one.

        Returns
        -------
        (C,) float32, or None without ``scale``
        """
        return self.gamma.value if self.scale else None

    def _move(self, mean, variance, n):
        keep, take = np.float32(self.momentum), np.float32(1 - self.momentum)
        unbiased = variance * (n / max(n - 1, 1))
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            moving *= keep
            moving += take * new.astype(np.float32)
