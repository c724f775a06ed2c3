"""The products of every layer of a network, beside BLAS and beside the tile's own peak.

Each is one call as a layer makes it, gathering of taps included, on random operands; both gradients
once in float32 and once in int8. What is counted are the multiply-adds of the plain convolution:
also where 2x2 max pooling follows and the product is the pooled one, which leaves some of them out.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from minibnn import nn
from minibnn.bench.clock import FULL, measure
from minibnn.bench.peaks import sgemm
from minibnn.bench.run import GRADIENTS
from minibnn.ops.backend import ops
from minibnn.ops.kernels.grad_windows import fits_windows
from minibnn.ops.kernels.tables import numbers

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
    gradients : str
        Type of the gradient it takes: "float32" or "int8"; "" of a forward product.
    limit : str
        The peak it is held against, as in ``limits``.
    call : callable
    """

    layer: str
    product: str
    shape: tuple
    pooled: bool
    signs: bool
    gradients: str
    limit: str
    call: Callable

    @property
    def macs(self):
        return prod(self.shape)


def products(net, batch_size, gradients=GRADIENTS, seed=0):
    """Yield the Products of ``net``'s layers with a binary kernel, in layer order.

    Those that take a gradient once for each type of ``gradients``, one after the other.
    """
    shape, signs = net.input_shape, False
    layers = list(net.layers)
    for layer, after in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.BinaryConv2D | nn.BinaryDense):
            pooled = signs and isinstance(after, nn.MaxPool2D)
            rng = np.random.default_rng(seed)
            yield from _products(layer, (batch_size, *shape), signs, pooled, gradients, rng)
        shape, signs = layer.output_shape(shape), layer.gives_signs(signs)


def bare_products(seed=0):
    """Yield the BARE ones, as forward products of dense layers."""
    for rows, summed, columns in BARE:
        rng = np.random.default_rng(seed)
        x, w = _signs((rows, summed), 1, rng), _signs((summed, columns), 0, rng)
        yield Product(
            "matrix", "forward", (rows, summed, columns), False, True, "", "popcount",
            partial(ops.binary_dense, x, w),
        )  # fmt: skip


def limits(peaks):
    """Multiply-adds per second at the peak of tile or BLAS: what a Product's ``limit`` names."""
    out = {name: peaks[name] for name in ("sgemm", "popcount")}
    for kind in ("float32", "int16"):
        out[f"{kind} table"] = table = peaks[f"{kind} table"]
        if table is None:
            continue
        two, four = peaks[f"{kind} select 2"], peaks[f"{kind} select 4"]
        # A window's look-up stands for its four pixels; where only some are seen, for so many.
        looked_up = {4: four / 4, 2: two / 2, 1: table}
        out[f"{kind} select windows"] = four
        out[f"{kind} select pixels"] = sum(seen * times for seen, times in SEEN.items()) / sum(
            times / looked_up[seen] for seen, times in SEEN.items()
        )
    return out | {"int16 bytes": out["int16 table"] / 8}  # a byte is looked up as eight signs


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
        "gradients": case.gradients,
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
    """A row per product and type over all layers whose inputs are signs, convolutions and all."""
    kinds = dict.fromkeys((r["product"], r["gradients"]) for r in rows)
    out = []
    for name, layers in (("binary convolutions", "conv"), ("all binary layers", "")):
        for kind in kinds:
            mine = [
                r
                for r in rows
                if (r["product"], r["gradients"]) == kind
                and r["signs"]
                and r["layer"].startswith(layers)
            ]
            if mine:
                out.append(_total(name, *kind, mine))
    return out


def compare(rows):
    """Give rows with int8 their "speedup": how many times the same row with float32 takes."""
    float32 = {
        (r["layer"], r["product"]): r["seconds"] for r in rows if r["gradients"] == "float32"
    }
    for row in rows:
        if row["gradients"] == "int8" and (place := (row["layer"], row["product"])) in float32:
            row["speedup"] = float32[place] / row["seconds"]


def _total(name, product, gradients, rows):
    macs, seconds = sum(r["macs"] for r in rows), sum(r["seconds"] for r in rows)

    def together(rate):
        times = [r["macs"] / r[rate] if r[rate] else None for r in rows]
        return None if None in times else macs / sum(times)

    return {
        "layer": name,
        "product": product,
        "gradients": gradients,
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


def _products(layer, shape, signs, pooled, gradients, rng):
    """Those of one layer; ``shape`` is its input's, ``pooled`` whether 2x2 max pooling follows."""
    kernel, dy_shape = layer.kernel, (shape[0], *layer.output_shape(shape[1:]))
    matrix = prod(dy_shape[:-1]), prod(kernel.shape[:-1]), dy_shape[-1]
    operation, place, size, where = "binary_dense", (), (), ()
    to_input, to_kernel = "table", "table"
    if isinstance(layer, nn.BinaryConv2D):
        operation, size = "binary_conv2d", (layer.kernel_size,)
        place = layer.strides, layer.padding, layer.pad_value
    if pooled:
        operation, to_kernel = "binary_conv2d_pool", "select windows"
        if layer.kernel_size == (3, 3) and fits_windows(layer.strides, shape[3]):
            to_input = "select pixels"
        dy_shape = (shape[0], dy_shape[1] // 2, dy_shape[2] // 2, dy_shape[3])
        where = (rng.integers(0, 4, dy_shape, np.uint8),)
    x = _signs(shape, len(shape) - 1, rng) if signs else rng.integers(0, 256, shape, np.uint8)

    def product(name, gradients, limit, suffix, *arguments):
        call = partial(getattr(ops, operation + suffix), *arguments)
        return Product(layer.name, name, matrix, pooled, signs, gradients, limit, call)

    yield product("forward", "", "popcount" if signs else "sgemm", "", x, kernel.signs, *place)
    dys = [(kind, _gradient(dy_shape, kind, rng)) for kind in gradients]
    if signs:
        image = (shape, *place[:2]) if size else ()
        for kind, dy in dys:
            limit = f"{numbers(dy).table.__name__} {to_input}"
            arguments = (dy, *where, kernel.signs_t, *image)
            yield product("input gradient", kind, limit, "_grad_input", *arguments)
    for kind, dy in dys:
        limit = f"{numbers(dy).table.__name__} {to_kernel}"
        if not signs:
            limit = "sgemm" if kind == "float32" else "int16 bytes"
        arguments = (x, dy, *where, *size, *place)
        yield product("kernel gradient", kind, limit, "_grad_kernel", *arguments)


def _signs(shape, axis, rng):
    return ops.pack_signs(1 - 2 * rng.integers(0, 2, shape, np.int8), axis)


def _gradient(shape, kind, rng):
    dy, bits = rng.normal(size=shape).astype(np.float32), GRADIENTS[kind]
    return ops.to_fixed(dy, bits) if bits else dy
