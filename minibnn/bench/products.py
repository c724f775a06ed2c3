"""The products of every layer of a network, beside BLAS and beside the tile's own peak.

Each is one call as a layer makes it, gathering of taps included, on random operands. What is
counted are the multiply-adds of the plain convolution: also where 2x2 max pooling follows and the
product is the pooled one, which leaves some of them out.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minibnn import nn
from minibnn.bench.clock import FULL, measure
from minibnn.bench.peaks import sgemm
from minibnn.ops.backend import ops
from minibnn.ops.kernels.grad_windows import fits_windows

# Bare products that others have published rates for: the middle convolutions of BinaryNet at
# batch 50, as one matrix (rows, summed, columns).
BARE = ((45000, 1152, 128), (11250, 2304, 256), (2450, 4608, 512))

# How many of a window's four pixels an input pixel sees, and through how many windows, for a 3x3
# kernel: nine multiply-adds in four look-ups.
SEEN = {4: 1, 2: 2, 1: 1}


class Product(NamedTuple):
    """One product of one layer.

    Attributes
    ----------
    layer, product : str
        "conv2"; "forward", "input gradient" or "kernel gradient".
    shape : (int, int, int)
        Of the matrix product it amounts to: rows, length of the sums, columns.
    pooled : bool
        Whether 2x2 max pooling is part of it.
    signs : bool
        Whether its input is signs; a first layer's are bytes.
    limit : str
        The peak it is held against, as in ``limits``.
    call : callable
    """

    layer: str
    product: str
    shape: tuple
    pooled: bool
    signs: bool
    limit: str
    call: Callable

    @property
    def macs(self):
        return int(np.prod(self.shape, dtype=np.int64))


def products(net, batch_size, seed=0):
    """Yield the Products of ``net``'s layers with a binary kernel, in layer order."""
    shape, signs = net.input_shape, False
    layers = list(net.layers)
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.BinaryConv2D | nn.BinaryDense):
            rng = np.random.default_rng(seed)
            make = _convolution if isinstance(layer, nn.BinaryConv2D) else _dense
            pooled = signs and isinstance(after, nn.MaxPool2D)
            yield from make(layer, (batch_size, *shape), signs, pooled, rng)
        shape, signs = layer.output_shape(shape), layer.gives_signs(signs)


def bare_products(seed=0):
    """Yield the BARE ones, as forward products of dense layers."""
    for rows, summed, columns in BARE:
        rng = np.random.default_rng(seed)
        x, w = _signs((rows, summed), 1, rng), _signs((summed, columns), 0, rng)
        yield Product(
            "matrix", "forward", (rows, summed, columns), False, True, "popcount",
            lambda x=x, w=w: ops().binary_dense(x, w),
        )  # fmt: skip


def limits(peaks):
    """Multiply-adds per second at the peak of tile or BLAS: what a Product's ``limit`` names."""
    out = {name: peaks[name] for name in ("sgemm", "popcount", "table")}
    if peaks["table"] is None:
        return out
    # A window's look-up stands for its four pixels; where only some are seen, for so many.
    looked_up = {4: peaks["select 4"] / 4, 2: peaks["select 2"] / 2, 1: peaks["table"]}
    out["select windows"] = peaks["select 4"]
    out["select pixels"] = sum(seen * times for seen, times in SEEN.items()) / sum(
        times / looked_up[seen] for seen, times in SEEN.items()
    )
    return out


def measure_product(case, peaks, threads, effort=FULL, blas=None):
    """A dict of what a Product reaches; ``blas`` caches SGEMM's seconds by shape."""
    run = measure(case.call, effort)
    blas = {} if blas is None else blas
    key = case.product, case.shape
    if key not in blas:
        blas[key] = blas_seconds(case.product, case.shape, threads, effort)
    limit = limits(peaks).get(case.limit)
    return {
        "layer": case.layer,
        "product": case.product,
        "shape": list(case.shape),
        "pooled": case.pooled,
        "signs": case.signs,
        "macs": case.macs,
        "seconds": run.median,
        "low": run.low,
        "high": run.high,
        "runs": run.runs,
        "gmacs_per_s": case.macs / run.median / 1e9,
        "blas_gmacs_per_s": case.macs / blas[key] / 1e9,
        "limit": case.limit,
        "limit_gmacs_per_s": None if limit is None else limit / 1e9,
    }


def totals(rows):
    """One row per product over all layers whose inputs are signs, convolutions and all apart."""
    out = []
    for name, layers in (("binary convolutions", "conv"), ("all binary layers", "")):
        for product in ("forward", "input gradient", "kernel gradient"):
            mine = [
                r
                for r in rows
                if r["product"] == product and r["signs"] and r["layer"].startswith(layers)
            ]
            if mine:
                out.append(_total(name, product, mine))
    return out


def _total(name, product, rows):
    macs, seconds = sum(r["macs"] for r in rows), sum(r["seconds"] for r in rows)

    def together(rate):
        times = [r["macs"] / r[rate] if r[rate] else None for r in rows]
        return None if None in times else macs / sum(times)

    return {
        "layer": name,
        "product": product,
        "macs": macs,
        "seconds": seconds,
        "gmacs_per_s": macs / seconds / 1e9,
        "blas_gmacs_per_s": together("blas_gmacs_per_s"),
        "limit_gmacs_per_s": together("limit_gmacs_per_s"),
    }


def blas_seconds(product, shape, threads, effort=FULL):
    """Seconds of float32 BLAS on ``threads`` threads for the same matrix product.

    Its operands lie ready as matrices; a convolution would have to gather them first.
    """
    rows, summed, columns = shape
    x, w = np.ones((rows, summed), np.float32), np.ones((summed, columns), np.float32)
    y = np.ones((rows, columns), np.float32)
    operands = {
        "forward": (x, w, y),
        "input gradient": (y, w.T, x),
        "kernel gradient": (x.T, y, w),
    }
    return sgemm(*operands[product], threads, effort)


def _convolution(layer, shape, signs, pooled, rng):
    size, geometry = layer.kernel_size, (layer.strides, layer.padding)
    out_shape = layer.output_shape(shape[1:])
    matrix = (
        shape[0] * out_shape[0] * out_shape[1], size[0] * size[1] * shape[3], out_shape[2]
    )  # fmt: skip
    kernel, pad_value = layer.kernel, layer.pad_value

    def product(name, limit, call):
        return Product(layer.name, name, matrix, pooled, signs, limit, call)

    kernel.signs, kernel.signs_t  # noqa: B018  packed beforehand
    if not signs:
        x = rng.integers(0, 256, shape, np.uint8)
        dy = _floats((shape[0], *out_shape), rng)
        yield product(
            "forward", "sgemm", lambda: ops().binary_conv2d(x, kernel.signs, *geometry, pad_value)
        )
        yield product(
            "kernel gradient", "sgemm",
            lambda: ops().binary_conv2d_grad_kernel(x, dy, size, *geometry, pad_value),
        )  # fmt: skip
        return
    x = _signs(shape, 3, rng)
    if not pooled:
        dy = _floats((shape[0], *out_shape), rng)
        yield product(
            "forward", "popcount",
            lambda: ops().binary_conv2d(x, kernel.signs, *geometry, pad_value),
        )  # fmt: skip
        yield product(
            "input gradient", "table",
            lambda: ops().binary_conv2d_grad_input(dy, kernel.signs_t, shape, *geometry),
        )  # fmt: skip
        yield product(
            "kernel gradient", "table",
            lambda: ops().binary_conv2d_grad_kernel(x, dy, size, *geometry, pad_value),
        )  # fmt: skip
        return
    half = (shape[0], out_shape[0] // 2, out_shape[1] // 2, out_shape[2])
    dy, where = _floats(half, rng), rng.integers(0, 4, half, np.uint8)
    windows = size == (3, 3) and fits_windows(layer.strides, shape[3])
    yield product(
        "forward", "popcount",
        lambda: ops().binary_conv2d_pool(x, kernel.signs, *geometry, pad_value),
    )  # fmt: skip
    yield product(
        "input gradient", "select pixels" if windows else "table",
        lambda: ops().binary_conv2d_pool_grad_input(dy, where, kernel.signs_t, shape, *geometry),
    )  # fmt: skip
    yield product(
        "kernel gradient", "select windows",
        lambda: ops().binary_conv2d_pool_grad_kernel(x, dy, where, size, *geometry, pad_value),
    )  # fmt: skip


def _dense(layer, shape, signs, pooled, rng):
    kernel, matrix = layer.kernel, (*shape, layer.units)
    kernel.signs, kernel.signs_t  # noqa: B018  packed beforehand
    x = _signs(shape, 1, rng) if signs else rng.integers(0, 256, shape, np.uint8)
    dy = _floats((shape[0], layer.units), rng)
    tile = "popcount" if signs else "sgemm"

    def product(name, limit, call):
        return Product(layer.name, name, matrix, False, signs, limit, call)

    yield product("forward", tile, lambda: ops().binary_dense(x, kernel.signs))
    if signs:
        yield product(
            "input gradient", "table", lambda: ops().binary_dense_grad_input(dy, kernel.signs_t)
        )
    yield product(
        "kernel gradient",
        "table" if signs else "sgemm",
        lambda: ops().binary_dense_grad_kernel(x, dy),
    )


def _signs(shape, axis, rng):
    return ops().pack_signs(1 - 2 * rng.integers(0, 2, shape, np.int8), axis)


def _floats(shape, rng):
    return rng.normal(size=shape).astype(np.float32)
