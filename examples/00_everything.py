# %% [markdown]
# # A binarized network and its optimizers, in plain NumPy
# The paper is *Latent Weights Do Not Exist* (Helwegen et al. 2019, arXiv 1906.02107): every weight
# of a network is +1 or -1. This file builds such a network, each layer with its backward pass, and
# trains it on handwritten digits by two optimizers in lockstep; comments say what it prints. Of
# minibnn it takes nothing but the images; minibnn ends these runs with the same bits, a test says.

# %%
from functools import partial
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import minibnn.data

digits = minibnn.data.load("digits")
images, labels = digits.train_images, digits.train_labels  # (1437, 8, 8, 1) bytes


# %%
# Weights and activations are signs. As bits, x @ w is n - 2 * popcount(x ^ w), see example 01.
def sign(x):
    return np.where(x < 0, np.int8(-1), np.int8(1))  # Eq. 2; the sign of 0 is +1


# %%
# Integers times one unit move between layers: images times 1/255, signs times 1. A gradient is
# rounded where it enters a binary layer, to 8 bits times a power of two. Sums of integers are exact
# in any order, so every machine trains the same bits. float64 holds them, exactly up to 2^53.
class Fixed(NamedTuple):
    integers: np.ndarray
    unit: float

    def floats(self):
        return np.float32(self.integers) * np.float32(self.unit)


def to_fixed(x, bits):
    mantissa, exponent = np.frexp(float(abs(x).max()) / (2 ** (bits - 1) - 1))
    exponent -= mantissa == 0.5  # the smallest with |x| <= (2^(bits - 1) - 1) * 2^exponent
    return Fixed(np.float64(np.rint(np.ldexp(x, -exponent))), 2.0**exponent)


# %%
# A layer returns y and its backward pass: from dL/dy to dL/dx and the gradient of its parameter.
def patches(x, padding):  # (B, H, W, C), padded with zeros, to (B, H', W', 3, 3, C)
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return sliding_window_view(x, (3, 3), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)


def binary_conv(x, w, padding):  # w (3, 3, C, O), y (B, H', W', O)
    seen = patches(x.integers, padding)

    def backward(dy):
        dx = np.tensordot(patches(dy.integers, 2 - padding), w[::-1, ::-1].swapaxes(2, 3), 3)
        dw = np.tensordot(seen, dy.integers, ((0, 1, 2), (0, 1, 2)))  # Eq. 3: taken at the signs
        return Fixed(dx, dy.unit), Fixed(dw, dy.unit * x.unit).floats()

    return Fixed(np.tensordot(seen, w, 3), x.unit), backward


def binary_dense(x, w):  # w (I, O), y (B, O)
    rows = x.integers.reshape(len(x.integers), -1)

    def backward(dy):
        dx = (dy.integers @ w.T).reshape(x.integers.shape)
        return Fixed(dx, dy.unit), Fixed(rows.T @ dy.integers, dy.unit * x.unit).floats()  # Eq. 3

    return Fixed(rows @ w, x.unit), backward


def max_pool(x):  # 2x2
    windows = sliding_window_view(x.integers, (2, 2), axis=(1, 2))[:, ::2, ::2]
    entries = windows.reshape(*windows.shape[:4], 4)
    largest = entries.argmax(-1)[..., None] == np.arange(4)  # of equal ones the first

    def backward(dy):
        dx = (largest * dy.integers[..., None]).reshape(windows.shape)
        return Fixed(dx.transpose(0, 1, 4, 2, 5, 3).reshape(x.integers.shape), dy.unit)

    return Fixed(entries.max(-1), x.unit), backward


def ste_sign(x):  # straight-through estimator: backwards the sign is clip(x, -1, 1)
    return Fixed(np.float64(sign(x)), 1.0), lambda dy: Fixed(dy.integers * (abs(x) <= 1), dy.unit)


def batch_norm(x, beta, moving, training):  # y = (x - mean) / sqrt(variance + 0.001) + beta
    axes, n = tuple(range(x.integers.ndim - 1)), x.integers[..., 0].size
    mean, variance = moving
    if training:
        total, squares = x.integers.sum(axes), (x.integers**2).sum(axes)
        mean, variance = total / n * x.unit, (n * squares - total**2) / n**2 * x.unit**2
        moving[:] = 0.99 * moving + 0.01 * np.float32([mean, variance * (n / (n - 1))])
    mean, variance = np.float32([mean, variance])
    factor = 1 / np.sqrt(variance + 0.001)
    xhat = (x.floats() - mean) * factor

    def backward(dy):
        dbeta = dy.integers.sum(axes) * dy.unit
        dy_x = (dy.integers * x.integers).sum(axes) * (dy.unit * x.unit)
        mean_dy, mean_dy_xhat = np.float32([dbeta / n, (dy_x - mean * dbeta) * factor / n])
        dx = factor * (dy.floats() - mean_dy - xhat * mean_dy_xhat)
        return to_fixed(dx, bits=8), np.float32(dbeta)

    return xhat + beta, backward


# %%
# A network is signs, the beta of its batch normalisations, and their moving mean and variance.
class Network:
    def __init__(self):
        random = np.random.default_rng(seed=0)
        shapes = (3, 3, 1, 16), (3, 3, 16, 32), (288, 64), (64, 10)
        self.w = [1 - 2 * random.integers(0, 2, shape, dtype=np.int8) for shape in shapes]
        self.beta = [np.zeros(shape[-1], np.float32) for shape in shapes]
        self.moving = [np.float32([beta, beta + 1]) for beta in self.beta]

    def forward(self, images, training=False):
        x, tape = Fixed(2.0 * images - 255, 1 / 255), []  # bytes as numbers from -1 to 1
        for k, w in enumerate(self.w):
            y, product = binary_conv(x, w, padding=k) if k < 2 else binary_dense(x, w)
            y, pool = max_pool(y) if k == 1 else (y, lambda dy: dy)
            z, norm = batch_norm(y, self.beta[k], self.moving[k], training)
            x, ste = ste_sign(z) if k < 3 else (z, lambda dy: dy)  # the last z are the logits
            tape.append((product, pool, norm, ste))
        return np.float64(z), tape

    def gradients(self, images, labels):  # of the mean cross-entropy; to_fixed hides how exp rounds
        logits, tape = self.forward(images, training=True)
        softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
        softmax /= softmax.sum(axis=1, keepdims=True)
        dx, found = to_fixed((softmax - np.eye(10)[labels]) / len(labels), bits=20), []
        for product, pool, norm, ste in reversed(tape):
            dy, dbeta = norm(ste(dx))
            dx, dw = product(pool(dy))
            found.insert(0, (dw, dbeta))
        return found

    def digest(self):
        parameters = [array for k in range(4) for array in (self.w[k], self.beta[k])]
        return sha256(b"".join(a.tobytes() for a in parameters + self.moving)).hexdigest()[:12]


# %%
# The optimizers get the same gradient, and both keep one real number per weight.
def bop(w, g, m, gamma, threshold):  # Algorithm 2
    m = (1 - gamma) * m + gamma * g  # Eq. 5
    return np.where(w * m > threshold, -w, w), m


def latent_sgd(w, g, latent, lr, decay):  # Algorithm 1, where A(g) = -g
    latent = (1 - lr * decay) * latent - lr * g
    return sign(latent), latent  # Eq. 2; what is left of latent is inertia (Eq. 4)


def lockstep(*runs, epochs, batch=50):  # all from one start, on the same batches
    nets = [Network() for _ in runs]
    states = [[np.float32(start) * w for w in Network().w] for _, _, start in runs]
    steps = len(images) // batch
    for epoch in range(epochs):
        seed = np.random.SeedSequence(0, spawn_key=(1, epoch))
        order = np.random.default_rng(seed).permutation(len(images))
        for step in range(steps):
            rows = order[step * batch : (step + 1) * batch]
            t = (epoch * steps + step) / (epochs * steps)  # from 0 to 1
            for (optimizer, (first, last), _), net, state in zip(runs, nets, states, strict=True):
                rate = np.float32(last + (first - last) * (1 - t))
                for k, (dw, dbeta) in enumerate(net.gradients(images[rows], labels[rows])):
                    net.w[k], state[k] = optimizer(net.w[k], dw, state[k], rate)
                    net.beta[k] -= 0.1 * dbeta
    for (optimizer, *_), net in zip(runs, nets, strict=True):
        right = net.forward(digits.test_images)[0].argmax(axis=1) == digits.test_labels
        print(f"{optimizer.func.__name__}: accuracy {right.mean():.2%}, digest {net.digest()}")


# %%
# A run is an optimizer, its rate at start and end, and its real numbers at the start: w times that.
a = partial(bop, threshold=1e-6), (1e-2, 1e-3), 0.0
b = partial(latent_sgd, decay=0.0), (30.0, 0.0), 0.1
lockstep(a, b, epochs=10)
# bop: accuracy 97.78%, digest 54ef0ae9ece5
# latent_sgd: accuracy 95.28%, digest 75d8f75244ba

# %%
# Theorem 1: with rate and start 16 times as large no sign differs. Latent weights are no weights.
a, b = ((partial(latent_sgd, decay=0.0), (32.0 * s, 0.0), s / 8) for s in (1, 16))
lockstep(a, b, epochs=3)
# latent_sgd: accuracy 85.56%, digest 8299ca755139
# latent_sgd: accuracy 85.56%, digest 8299ca755139

# %%
# Section 6: SGD with weight decay is Bop with threshold 0; its latent weights are -m.
a = partial(bop, threshold=0.0), (1e-2, 1e-3), -1e-4
b = partial(latent_sgd, decay=1.0), (1e-2, 1e-3), 1e-4
lockstep(a, b, epochs=3)
# bop: accuracy 87.50%, digest 2427796854e3
# latent_sgd: accuracy 87.50%, digest 2427796854e3
