"""The paper's ImageNet networks in PyTorch, built from what ``networks.py`` says of them.

NCHW in channels-last memory. Where "same" padding is uneven (strides 2 and 4), images are padded
before the layer: PyTorch's own padding is the same on both sides and would move every window.
"""

import networks
import numpy as np
import torch
import torch.nn.functional as F


class ApproxSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x < 0, -1.0, 1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * torch.relu(2 - 2 * x.abs())


class Weights(torch.nn.Module):
    """A convolution or dense layer; kernels stand as OIHW and [units, inputs]."""

    def __init__(self, layer, kernel):
        super().__init__()
        k = torch.from_numpy(np.moveaxis(kernel, (-1, -2), (0, 1)).astype(np.float32))
        if k.ndim == 4:
            k = k.contiguous(memory_format=torch.channels_last)
        self.kernel, self.layer = torch.nn.Parameter(k), layer
        self.binary, self.l2 = layer["kind"].startswith("Binary"), layer.get("l2", 0)
        self.bias = torch.nn.Parameter(torch.zeros(len(k))) if layer.get("use_bias") else None

    def forward(self, x):
        if self.kernel.ndim == 2:
            return F.linear(x, self.kernel, self.bias)
        if self.layer["padding"] == "valid" and x.shape[1:] == self.kernel.shape[1:]:
            # One window is all of the image: twice as fast as conv2d. Channels are last.
            x, kernel = (a.permute(0, 2, 3, 1).flatten(1) for a in (x, self.kernel))
            return F.linear(x, kernel, self.bias)[:, :, None, None]
        x, padding = padded(x, self.layer)
        return F.conv2d(x, self.kernel, self.bias, self.layer["strides"], padding)


def padded(x, layer, value=0.0):
    """x and the padding still to be done by the layer: (x, the same on both sides)."""
    if layer["padding"] == "valid":
        return x, 0
    size, stride = layer.get("kernel_size") or layer["pool_size"], layer["strides"]
    around = []
    for n in (x.shape[3], x.shape[2]):  # F.pad takes the last axis first
        total = max((-(-n // stride) - 1) * stride + size - n, 0)
        around += [total // 2, total - total // 2]
    if len(set(around)) == 1:
        return x, around[0]
    return F.pad(x, around, value=value), 0


class Plain(torch.nn.Module):
    """A layer without parameters."""

    def __init__(self, layer, ste_sign):
        super().__init__()
        self.layer, self.ste_sign = layer, ste_sign

    def forward(self, x):
        kind, layer = self.layer["kind"], self.layer
        if kind == "Sign":
            return (self.ste_sign if layer["quantizer"] == "ste_sign" else ApproxSign).apply(x)
        if kind == "ReLU":
            return F.relu(x)
        if kind == "Flatten":  # as Keras: channels last
            return x.permute(0, 2, 3, 1).flatten(1)
        if kind == "GlobalAvgPool2D":
            return x.mean((2, 3))
        if kind == "MaxPool2D":
            x, padding = padded(x, layer, -torch.inf)
            return F.max_pool2d(x, layer["pool_size"], layer["strides"], padding)
        # Here "same" adds to the end of a side at most: ceil_mode, over the pixels that exist.
        return F.avg_pool2d(x, layer["pool_size"], layer["strides"], ceil_mode=True)


class Residual(torch.nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class Network(torch.nn.Module):
    """One of ``networks.NETWORKS``.

    ``ste_sign`` and ``batch_norm(channels, scale, momentum, epsilon)`` are BinaryNet's too, and
    come from the script that has them.
    """

    def __init__(self, name, filters, dense_units, ste_sign, batch_norm):
        super().__init__()
        known = networks.NETWORKS[name]
        layers = known.sized(filters, dense_units)
        kernels = iter(networks.first_kernels(layers, known.image))
        outputs = (output for _, _, output in networks.walk(layers, known.image))

        def chain(layers):
            return torch.nn.Sequential(*map(module, layers))

        def module(layer):
            if layer["kind"] == "Residual":
                body = chain(layer["body"])  # first, as the kernels come
                return Residual(body, chain(layer["shortcut"]))
            channels = next(outputs)[-1]
            if layer["kind"] == "BatchNorm":
                return batch_norm(channels, True, layer["momentum"], layer["epsilon"])
            if "filters" in layer or "units" in layer:
                return Weights(layer, next(kernels))
            return Plain(layer, ste_sign)

        self.layers = chain(layers)
        weights = [m for m in self.modules() if isinstance(m, Weights)]
        self.kernels = [m.kernel for m in weights if m.binary]
        self.penalties = [(m.kernel, m.l2) for m in weights if m.l2]

    def reals(self):
        binary = {id(kernel) for kernel in self.kernels}
        return [p for p in self.parameters() if id(p) not in binary]

    def forward(self, images):
        return self.layers(images)
