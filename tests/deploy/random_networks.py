"""Random networks and statistics for the tests of packing; also the sum of what can go wrong."""

import numpy as np
from hypothesis import strategies as st

from minibnn import nn

CHANNELS = st.integers(1, 70) | st.sampled_from([1, 31, 32, 33, 64, 65])
PADDING = st.sampled_from(["same", "valid"])
QUANTIZERS = st.sampled_from(["ste_sign"] * 3 + ["magnitude_aware_sign"])


def _window(draw, image, largest=4):
    """(size, strides, padding) of a kernel or pool that fits."""
    size = tuple(draw(st.integers(1, largest)) for _ in range(2))
    padding = draw(PADDING)
    if padding == "valid":
        size = tuple(min(pair) for pair in zip(size, image, strict=True))
    return size, tuple(draw(st.sampled_from([1, 1, 1, 2, 3])) for _ in range(2)), padding


def _pool(draw, kind, image):
    if min(image) > 1 and draw(st.integers(0, 2)):
        return kind(2)
    return kind(*_window(draw, image, 3))


def _norm(draw):
    return nn.BatchNorm(
        scale=draw(st.booleans()),
        center=draw(st.booleans()),
        epsilon=draw(st.sampled_from([1e-3, 1e-5, 1e-30])),
    )


def _sign(draw):
    return nn.Sign(draw(st.sampled_from(["ste_sign", "approx_sign", "swish_sign"])))


def _convolution(draw, image):
    size, strides, padding = _window(draw, image)
    if draw(st.integers(0, 9)) == 9:
        return nn.Conv2D(draw(CHANNELS), size, strides, padding, draw(st.booleans()))
    pad_value, scaled = draw(st.integers(0, 1)), draw(QUANTIZERS)
    return nn.BinaryConv2D(draw(CHANNELS), size, strides, padding, pad_value, scaled)


def _dense(draw):
    if draw(st.integers(0, 9)) == 9:
        return nn.Dense(draw(CHANNELS), draw(st.booleans()))
    return nn.BinaryDense(draw(CHANNELS), draw(QUANTIZERS))


def _residual(draw, shape):
    body = [nn.Sign(), nn.BinaryConv2D(shape[2], 3), _norm(draw)]
    shortcut = [nn.BinaryConv2D(shape[2], 1), _norm(draw)] if draw(st.booleans()) else None
    return nn.Residual(body + [_sign(draw)] * draw(st.integers(0, 1)), shortcut)


def _any(draw, shape):
    """One layer of any kind that can take this shape; the usual ones more often."""
    kinds = ["norm", "norm", "sign", "sign", "relu"]
    kinds += ["max", "max", "avg", "flatten", "residual"] if len(shape) == 3 else []
    return {
        "norm": lambda: _norm(draw),
        "sign": lambda: _sign(draw),
        "relu": nn.ReLU,
        "max": lambda: _pool(draw, nn.MaxPool2D, shape[:2]),
        "avg": lambda: _pool(draw, nn.AvgPool2D, shape[:2]),
        "flatten": nn.Flatten,
        "residual": lambda: _residual(draw, shape),
    }[draw(st.sampled_from(kinds))]()


def _usual(draw, shape):
    """Normalisation and sign behind a product, perhaps with pooling before, between or after."""
    pool = draw(st.integers(0, 5)) if len(shape) == 3 else 5
    for place, make in enumerate((lambda: _norm(draw), lambda: _sign(draw), None)):
        if pool == place:
            yield _pool(draw, nn.MaxPool2D, shape[:2])
        if make:
            yield make()


@st.composite
def networks(draw):
    """A network of some blocks, its statistics and real parameters drawn from extremes."""
    if draw(st.integers(0, 3)) < 3:
        shape = (draw(st.integers(1, 12)), draw(st.integers(1, 12)), draw(st.integers(1, 5)))
    else:
        shape = (draw(st.sampled_from([9, 33, 64, 1, 140, 300])),)
    input_shape, layers = shape, []

    def add(layer):
        nonlocal shape
        layers.append(layer)
        layer.build(shape, np.random.default_rng(0))
        shape = layer.output_shape(shape)

    for _ in range(draw(st.integers(0, 2)) // 2):
        add(_any(draw, shape))
    for _ in range(draw(st.sampled_from([3, 4, 2, 1]))):
        add(_convolution(draw, shape[:2]) if len(shape) == 3 else _dense(draw))
        if draw(st.integers(0, 2)) < 2:
            for layer in _usual(draw, shape):
                add(layer)
        else:
            for _ in range(draw(st.integers(0, 5))):
                add(_any(draw, shape))
        if len(shape) == 3 and draw(st.integers(0, 4)) == 4:
            add(nn.Flatten())
    if draw(st.booleans()):
        if len(shape) == 3:
            add(draw(st.sampled_from([nn.Flatten, nn.GlobalAvgPool2D]))())
        add(_dense(draw))
        add(_norm(draw))
    net = nn.Sequential([layer.config() for layer in layers], input_shape, draw(st.integers(0, 99)))
    extreme_statistics(net, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    return net


def extreme_statistics(net, rng):
    """Fill in what training would find, and what it never would."""
    for layer in net.chain.walk():
        if isinstance(layer, nn.BatchNorm):
            n = len(layer.moving_mean)
            ties, halves = np.round(rng.normal(0, 5, n)), np.round(rng.normal(0, 3, n)) + 0.5
            beyond = rng.normal(0, 1e4, n)  # what the sums reach
            mean = _mixed(rng, ties, rng.normal(0, 5, n), beyond, halves)  # ties, where beta is 0
            sizes = 10 ** rng.uniform(-3, 3, n), 10 ** rng.uniform(-12, 12, n), np.zeros(n)
            layer.moving_mean[:], layer.moving_variance[:] = mean, _mixed(rng, *sizes)
            if layer.scale:
                zeros = rng.choice([0.0, -0.0], n)
                scales = 10 ** rng.uniform(-12, 6, n) * rng.choice([-1, 1], n)
                layer.gamma.assign(_mixed(rng, rng.normal(0, 1, n), scales, zeros))
            if layer.center:
                sizes = rng.normal(0, 1, n) * 10 ** rng.uniform(-6, 6, n)
                layer.beta.assign(_mixed(rng, np.zeros(n), rng.normal(0, 1, n), sizes))
    for p in net.parameters():
        if p.scale is not None:
            wide = 10 ** rng.uniform(-6, 6, len(p.scale))
            p.scale[:] = _mixed(rng, rng.uniform(0, 1, len(p.scale)), wide, 0 * wide, -wide)
        if p.name.endswith("bias"):
            p.assign(rng.normal(0, 1, p.shape))


def _mixed(rng, *rows):
    """From one of the rows, or each entry from any of them."""
    rows = np.array(rows)
    if rng.integers(2):
        return rows[rng.integers(len(rows))]
    return rows[rng.integers(len(rows), size=rows.shape[1]), np.arange(rows.shape[1])]
