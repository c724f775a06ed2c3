"""Steps on reals: batch normalisation, and the layers that know no bits."""

from typing import ClassVar

import numpy as np

from minibnn.deploy.step import Step, at_least_one, flag, place_of, positive_float, same_or_valid
from minibnn.deploy.value import REALS, SIGNS, SUMS, Value
from minibnn.nn.layers.layer import as_array, as_floats, operand
from minibnn.ops.backend import ops
from minibnn.ops.bits import Signs
from minibnn.ops.shapes import pair


class Scale(Step):
    """Each channel times its factor."""

    kind = "scale"

    def plan(self, given):
        return Value(REALS, given.shape)

    def needs(self):
        return {"scale": (np.float32, (self.given.channels,))}

    def fill(self, arrays):
        if not np.isfinite(super().fill(arrays).arrays["scale"]).all():
            self.refuse("scale holds NaN or infinity")
        return self

    def run(self, x):
        return ops.scale_channels(as_array(x), self.arrays["scale"])


class BatchNorm(Step):
    """y = (x - mean) * factor + beta with factor = [gamma] / sqrt(variance + epsilon)."""

    kind = "batch_norm"
    fields: ClassVar[dict] = {"epsilon": positive_float, "scale": flag}

    def plan(self, given):
        return Value(REALS, given.shape)

    def needs(self):
        keys = ["mean", "variance", "beta"] + ["gamma"] * self.scale
        return {key: (np.float32, (self.given.channels,)) for key in keys}

    def fill(self, arrays):
        super().fill(arrays)
        for key, values in arrays.items():
            if not np.isfinite(values).all():
                self.refuse(f"{key} holds NaN or infinity")
        self.variance = arrays["variance"]
        if (self.variance < 0).any() or not (self.variance + np.float32(self.epsilon)).all():
            self.refuse("variance + epsilon must be above 0")
        self.mean, self.beta, self.gamma = arrays["mean"], arrays["beta"], arrays.get("gamma")
        return self

    def run(self, x):
        return ops.batch_norm(*self.arguments(as_array(x)))

    def arguments(self, x):
        dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.float32
        mean, variance = (a.astype(dtype, copy=False) for a in (self.mean, self.variance))
        return x, mean, variance, self.beta, self.epsilon, self.gamma


class BatchNormSign(BatchNorm):
    """The signs of ``BatchNorm``, where what is normalised may be real: after the first layer."""

    kind = "batch_norm_sign"

    def plan(self, given):
        return Value(SIGNS, given.shape)

    def run(self, x):
        return ops.batch_norm_sign(*self.arguments(as_array(x)))[0]


class Sign(Step):
    """The signs of reals."""

    kind = "sign"

    def plan(self, given):
        return Value(SIGNS, given.shape)

    def run(self, x):
        return ops.sign(as_array(x))


class ReLU(Step):
    """max(x, 0)."""

    kind = "relu"

    def plan(self, given):
        return Value(SUMS if given.kind == SUMS else REALS, given.shape, given.most)

    def run(self, x):
        x = as_array(x)
        return np.where(x > 0, x, x.dtype.type(0))


class _RealProduct(Step):
    """A kernel of floats, and a bias if ``use_bias``."""

    def plan(self, given):
        self.kernel_shape, output = self.sizes(given)
        return Value(REALS, output)

    def needs(self):
        bias = {"bias": (np.float32, self.kernel_shape[-1:])} if self.use_bias else {}
        return {"kernel": (np.float32, self.kernel_shape)} | bias

    def run(self, x):
        x = as_floats(x) if isinstance(x, Signs) else operand(x)
        y = self.product(x, self.arrays["kernel"])
        return y + self.arrays["bias"] if self.use_bias else y


class Dense(_RealProduct):
    """y = x @ w + bias in floats."""

    kind = "dense"
    fields: ClassVar[dict] = {"units": at_least_one, "use_bias": flag}

    def sizes(self, given):
        self.expect(given, 1)
        return (*given.shape, self.units), (self.units,)

    def product(self, x, kernel):
        return ops.dense(x, kernel)


class Conv2D(_RealProduct):
    """Convolution in floats; ``same`` pads with 0."""

    kind = "conv2d"
    fields: ClassVar[dict] = {
        "filters": at_least_one,
        "kernel_size": pair,
        "strides": pair,
        "padding": same_or_valid,
        "use_bias": flag,
    }

    def sizes(self, given):
        place = place_of(self, given, self.kernel_size)
        return (*self.kernel_size, given.channels, self.filters), (*place.output, self.filters)

    def product(self, x, kernel):
        return ops.conv2d(x, kernel, self.strides, self.padding)


class AvgPool2D(Step):
    """Mean of each window, over the pixels that exist."""

    kind = "avg_pool2d"
    fields: ClassVar[dict] = {"pool_size": pair, "strides": pair, "padding": same_or_valid}

    def plan(self, given):
        place = place_of(self, given, self.pool_size)
        return Value(REALS, (*place.output, given.channels))

    def run(self, x):
        return ops.avg_pool2d(as_floats(x), self.pool_size, self.strides, self.padding)


class GlobalAvgPool2D(Step):
    """Mean over height and width."""

    kind = "global_avg_pool2d"

    def plan(self, given):
        self.expect(given, 3)
        return Value(REALS, given.shape[2:])

    def run(self, x):
        size = self.given.shape[:2]
        return ops.avg_pool2d(as_floats(x), size, size, "valid").reshape(len(x), -1)
