"""Pseudo-gradients of the sign, as Larq defines them; forward they are all sign(x), sign(0) = +1.

============  =====================================================  =========================
name          dx                                                     source
============  =====================================================  =========================
ste_sign      dy where abs(x) <= clip_value (None: everywhere)       arXiv 1602.02830
approx_sign   (2 - 2 abs(x)) dy where abs(x) <= 1                    arXiv 1808.00278
swish_sign    beta (2 - z tanh(z/2)) / (1 + cosh z) dy, z = beta x   arXiv 1812.11800
============  =====================================================  =========================

A binary kernel holds nothing but signs; its quantizer says what they are multiplied by: nothing
(``ste_sign``), or the mean magnitude of an output's latent weights, which the optimizer keeps up to
date (``magnitude_aware_sign``, arXiv 1808.00278).
"""

import math
from dataclasses import asdict, dataclass, is_dataclass

import numpy as np

from minibnn.errors import InputError, number, one_of
from minibnn.ops.backend import ops


@dataclass(frozen=True)
class SteSign:
    """Straight-through estimator: the gradient passes where |x| <= clip_value, inclusive."""

    clip_value: float | None = 1.0
    name = "ste_sign"

    def __post_init__(self):
        if self.clip_value is not None:
            _take_positive(self, "clip_value")

    def gradient(self, dy, x):
        return ops.ste_sign_grad(dy, x, self.clip_value)


@dataclass(frozen=True)
class ApproxSign:
    """Triangle: the derivative of a piecewise quadratic that approximates the sign."""

    name = "approx_sign"

    def gradient(self, dy, x):
        return ops.approx_sign_grad(dy, x)


@dataclass(frozen=True)
class SwishSign:
    """Derivative of the SignSwish function; narrower for a larger beta."""

    beta: float = 5.0
    name = "swish_sign"

    def __post_init__(self):
        _take_positive(self, "beta")

    def gradient(self, dy, x):
        return ops.swish_sign_grad(dy, x, self.beta)


def _take_positive(quantizer, name):
    value = getattr(quantizer, name)
    value = number(value, name, "a number above 0", lambda x: 0 < x < math.inf)
    object.__setattr__(quantizer, name, value)  # no longer of NumPy's, which JSON does not hold


def mean_magnitude(latent):
    """Mean of |latent| over all axes but the last: float64 (outputs,)."""
    return np.abs(latent).mean(axis=tuple(range(latent.ndim - 1)), dtype=np.float64)


KERNEL_QUANTIZERS = {"ste_sign": None, "magnitude_aware_sign": mean_magnitude}
QUANTIZERS = {kind.name: kind for kind in (SteSign, ApproxSign, SwishSign)}
ste_sign = SteSign()
approx_sign = ApproxSign()
swish_sign = SwishSign()


def get_quantizer(which):
    """A quantizer from itself, its name, or the plain dict of ``quantizer_config``."""
    if QUANTIZERS.get(getattr(which, "name", None)) is type(which):
        return which
    options = dict(which) if isinstance(which, dict) else {"name": which}
    name = one_of(options.pop("name", None), "quantizer", QUANTIZERS)
    try:
        return QUANTIZERS[name](**options)
    except TypeError:
        raise InputError(f"quantizer {name} does not take {', '.join(options)}") from None


def quantizer_config(quantizer):
    """Plain dict from which ``get_quantizer`` makes an equal quantizer."""
    own = asdict(quantizer).items() if is_dataclass(quantizer) else ()
    plain = {key: x.item() if isinstance(x, np.generic) else x for key, x in own}  # JSON holds it
    return {"name": quantizer.name, **plain}
