"""The products of every layer of a network, beside float32 BLAS.

Each is one call as a layer makes it, gathering of taps included, on random operands; both gradients
once in float32 and once in int8. What is counted are the multiply-adds of the plain convolution:
also where 2x2 max pooling follows and the product is the pooled one, which leaves some of them out.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import prod
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from minibnn import nn
from minibnn.bench.clock import measure
from minibnn.bench.networks import binarynet
from minibnn.bench.run import GRADIENTS
from minibnn.ops.backend import ops
from minibnn.ops.kernels.grad_windows import fits_windows
from minibnn.ops.kernels.tables import numbers


class Product(NamedTuple):
    """One product of one layer."""

    layer: str  # "conv2"
    product: str  # "forward", "input gradient" or "kernel gradient"
    shape: tuple  # of the matrix product it amounts to: rows, length of the sums, columns
    pooled: bool  # whether 2x2 max pooling is part of it
    signs: bool  # whether its input is signs; a first layer's are bytes
    gradients: str  # type of the gradient it takes, "float32" or "int8"; "" of a forward product
    limit: str  # the peak it is held against, as in ``peaks.limits``
    call: Callable

    @property
    def macs(self):
        return prod(self.shape)


def measure_products(setting):
    """A dict of "layers", a row per product, and "totals" over the layers with signs as inputs.

    A row with int8 gradients has a "speedup" over the same with float32.
    """
    blas, rows = {}, []
    for case in products(binarynet(setting.filters), setting.batch_size, setting.gradients):
        run = measure(case.call, setting.effort)
        if (case.product, case.shape) not in blas:
            blas[case.product, case.shape] = blas_seconds(case, setting.threads, setting.effort)
        row = case._asdict() | {"shape": list(case.shape), "macs": case.macs, **run}
        del row["call"], row["limit"]
        row["gmacs_per_s"] = case.macs / run["seconds"] / 1e9
        row["blas_gmacs_per_s"] = case.macs / blas[case.product, case.shape] / 1e9
        rows.append(row)
    found = {"layers": rows, "totals": _totals(rows)}
    for part in found.values():
        seconds = {(r["layer"], r["product"], r["gradients"]): r["seconds"] for r in part}
        for row in part:
            before = seconds.get((row["layer"], row["product"], "float32"))
            if row["gradients"] == "int8" and before:
                row["speedup"] = before / row["seconds"]
    return found


def _totals(rows):
    """A row per product and type of gradients over all layers with signs, and the convolutions."""
    totals = []
    for name, layers in (("binary convolutions", "conv"), ("all binary layers", "")):
        groups = {}
        for row in rows:
            if row["signs"] and row["layer"].startswith(layers):
                groups.setdefault((row["product"], row["gradients"]), []).append(row)
        for (product, gradients), mine in groups.items():
            macs, seconds = sum(r["macs"] for r in mine), sum(r["seconds"] for r in mine)
            blas = sum(r["macs"] / r["blas_gmacs_per_s"] for r in mine)
            totals.append(
                {
                    "layer": name,
                    "product": product,
                    "gradients": gradients,
                    "macs": macs,
                    "seconds": seconds,
                    "gmacs_per_s": macs / seconds / 1e9,
                    "blas_gmacs_per_s": macs / blas,
                }
            )
    return totals


def blas_seconds(case, threads, effort):
    """Seconds of float32 BLAS on ``threads`` threads for the same matrix product.

    Its operands lie ready as matrices; a convolution would have to gather them first.
    """
    rows, summed, columns = case.shape
    x, w = np.ones((rows, summed), np.float32), np.ones((summed, columns), np.float32)
    y = np.ones((rows, columns), np.float32)
    a, b, out = {
        "forward": (x, w, y),
        "input gradient": (y, w.T, x),
        "kernel gradient": (x.T, y, w),
    }[case.product]
    with threadpool_limits(limits=threads, user_api="blas"):
        return measure(lambda: np.matmul(a, b, out=out), effort)["seconds"]


def products(net, batch_size, gradients=tuple(GRADIENTS)):
    """Yield the Products of ``net``'s layers with a binary kernel, in layer order.

    Those that take a gradient come once for each type of ``gradients``, one after the other.
    """
    shape, signs = net.input_shape, False
    for layer, after in pairwise([*net.layers, None]):
        if isinstance(layer, nn.BinaryConv2D | nn.BinaryDense):
            pooled = signs and isinstance(after, nn.MaxPool2D)
            rng = np.random.default_rng(0)
            yield from _products(layer, (batch_size, *shape), signs, pooled, gradients, rng)
        shape, signs = layer.output_shape(shape), layer.gives_signs(signs)


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
