"""BinaryNet, Bop and the training step in PyTorch, for the two scripts that run it.

The same step trains the ImageNet networks of ``pytorch_imagenet.py``. Activations are NCHW in
channels-last memory, kernels OIHW and [units, inputs].

PyTorch's batch normalisation rounds (x - mean) * factor in another way, so that some exact zeros
become -1, and its Adam adds epsilon elsewhere: losses come out a little different. With the
environment variable STEP_EXACT=1 both are written out as the others do them, and then losses and
flips of the first steps are the same (and steps slower).
"""

import math
import os

import numpy as np
import step
import torch
import torch.nn.functional as F
from networks import NETWORKS
from pytorch_imagenet import Network

EXACT = os.environ.get("STEP_EXACT") == "1"


class SteSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.abs() <= 1)
        return torch.where(x < 0, -1.0, 1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[0]


class BatchNorm(torch.nn.Module):
    """On NCHW and on rows; BinaryNet's have no scale."""

    def __init__(self, channels, scale=False, momentum=step.MOMENTUM, epsilon=step.EPSILON):
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.beta = torch.nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        if scale:
            self.gamma = torch.nn.Parameter(torch.ones(channels))
        else:
            self.register_buffer("gamma", torch.ones(channels))

    def forward(self, x):
        if EXACT and self.training:
            axes = (0, 2, 3) if x.ndim == 4 else (0,)
            numbers = x.double()  # var_mean would give a mean of 1e-17 where it is 0
            mean = numbers.mean(axes, keepdim=True)
            variance = numbers.var(axes, correction=0, keepdim=True)
            factor = self.gamma.reshape(mean.shape[1:]) / torch.sqrt(
                variance.float() + self.epsilon
            )
            return (x - mean.float()) * factor + self.beta.reshape(mean.shape[1:])
        return F.batch_norm(
            x, self.mean, self.variance, self.gamma, self.beta, self.training,
            1 - self.momentum, self.epsilon,
        )  # fmt: skip


class BinaryNet(torch.nn.Module):
    penalties = ()

    def __init__(self, kernels):
        super().__init__()
        self.kernels = torch.nn.ParameterList()
        for kernel in kernels:
            k = torch.from_numpy(np.moveaxis(kernel, (-1, -2), (0, 1)).astype(np.float32))
            if k.ndim == 4:
                k = k.contiguous(memory_format=torch.channels_last)
            self.kernels.append(k)
        self.norms = torch.nn.ModuleList(BatchNorm(kernel.shape[-1]) for kernel in kernels)

    def reals(self):
        return [norm.beta for norm in self.norms]

    def forward(self, images):
        x = (2 * images.float() - 255) / 255
        for k, (kernel, norm) in enumerate(zip(self.kernels, self.norms, strict=True)):
            x = SteSign.apply(x) if k else x
            if kernel.ndim == 4:
                x = F.conv2d(x, kernel, padding=1 if k else 0)
                x = F.max_pool2d(x, 2) if k in step.POOLED else x
            else:
                if x.ndim == 4:  # as Keras flattens: channels last
                    x = x.permute(0, 2, 3, 1).flatten(1)
                x = F.linear(x, kernel)
            x = norm(x)
        return x


class KerasAdam:
    def __init__(self, parameters, lr):
        self.parameters, self.lr, self.t = parameters, lr, 0
        self.m, self.v = ([torch.zeros_like(p) for p in parameters] for _ in range(2))

    @torch.no_grad()
    def step(self):
        self.t += 1
        rate = self.lr * math.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        for p, m, v in zip(self.parameters, self.m, self.v, strict=True):
            m.mul_(0.9).add_(p.grad, alpha=0.1)
            v.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
            p.sub_(rate * m / (v.sqrt() + 1e-7))


def bop(kernels, averages, gradients):
    for w, m, g in zip(kernels, averages, gradients, strict=True):
        m.lerp_(g, step.GAMMA)
        w.copy_(torch.where(w * m > step.THRESHOLD, -w, w))


class PyTorch:
    def __init__(
        self, filters, dense_units, batch_size, threads, network="binarynet", low_precision=False
    ):
        torch.set_num_threads(threads)
        self.versions = {"PyTorch": torch.__version__}
        if network == "binarynet":
            net, lr = BinaryNet(step.first_kernels(filters, dense_units)), step.LR
        else:
            net = Network(network, filters, dense_units, SteSign, BatchNorm)
            lr = NETWORKS[network].lr
        self.net = net.to(memory_format=torch.channels_last)
        self.averages = [torch.zeros_like(k) for k in net.kernels]
        self.adam = torch.optim.Adam(net.reals(), lr=lr, eps=1e-7, fused=True)
        if EXACT:
            self.adam = KerasAdam(net.reals(), lr)
        images, labels = step.batch(batch_size, network)
        self.x = torch.from_numpy(np.moveaxis(images, -1, 1))  # NCHW, channels last in memory
        self.labels = torch.from_numpy(labels)
        self.low_precision = low_precision
        self.loss, self.bop, self.logits = self._loss, bop, net.forward
        if low_precision:
            self.loss, self.bop = torch.compile(self._loss), torch.compile(bop)
            self.logits = torch.compile(net.forward)

    def _loss(self, x, labels):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low_precision):
            return F.cross_entropy(self.net(x).float(), labels)

    def train(self):
        self.net.train()
        self.net.zero_grad(set_to_none=True)
        loss = self.loss(self.x, self.labels)
        loss.backward()
        with torch.no_grad():
            kernels = list(self.net.kernels)
            self.bop(kernels, self.averages, [k.grad for k in kernels])
            for kernel, l2 in self.net.penalties:
                kernel.grad.add_(kernel, alpha=2 * l2)
        self.adam.step()
        return loss.item()

    def infer(self):
        self.net.eval()
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=self.low_precision),
        ):
            return self.logits(self.x).float().numpy()

    def kernels(self):
        return [np.moveaxis(k.detach().numpy(), (0, 1), (-1, -2)) for k in self.net.kernels]

    def counts(self):
        self.net.eval()
        with torch.inference_mode():
            logits = self.net(self.x[:1])
        return {"trained": sum(p.numel() for p in self.net.parameters()), "logits": logits.shape[1]}
