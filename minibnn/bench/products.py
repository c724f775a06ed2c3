"""The products of every layer of BinaryNet, beside float32 BLAS.

Each is a call of a training step made again, gathering of taps included; both gradients once in
float32 and once in int8. What is counted are the multiply-adds of the plain convolution: also where
2x2 max pooling follows and the product is the pooled one, which leaves some of them out.
"""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from minibnn.bench.clock import measure
from minibnn.bench.networks import Training, binarynet
from minibnn.bench.trace import one_step, product_of, summed
from minibnn.ops.kernels.grad_windows import fits_windows

PRODUCTS = ("forward", "input gradient", "kernel gradient")


class Product(NamedTuple):
    """One product of one layer."""

    layer: str  # "conv2"
    product: str  # one of PRODUCTS
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
    rows, blas = {}, {}
    for kind in setting.gradients:
        training = Training(binarynet(setting.filters, kind), setting.batch_size)
        for case in products(training):
            which = case.product, case.shape
            if (case.layer, case.product, case.gradients) in rows:
                continue  # a forward product takes no gradient
            if which not in blas:
                blas[which] = blas_seconds(*which, setting.threads, setting.effort)
            row = case._asdict() | {"shape": list(case.shape), "macs": case.macs}
            row |= {"blas_seconds": blas[which], **measure(case.call, setting.effort)}
            del row["call"], row["limit"]
            rows[case.layer, case.product, case.gradients] = row
    layers = sorted(rows.values(), key=lambda r: (r["layer"], PRODUCTS.index(r["product"])))
    totals = []
    for name, prefix in (("binary convolutions", "conv"), ("all binary layers", "")):
        mine = [r | {"layer": name} for r in layers if r["signs"] and r["layer"].startswith(prefix)]
        fields = "macs", "seconds", "blas_seconds"
        totals += summed(mine, ("layer", "product", "gradients"), fields)
    for part in (layers, totals):
        seconds = {(r["layer"], r["product"], r["gradients"]): r["seconds"] for r in part}
        for row in part:
            row["gmacs_per_s"] = row["macs"] / row["seconds"] / 1e9
            row["blas_gmacs_per_s"] = row["macs"] / row["blas_seconds"] / 1e9
            before = seconds.get((row["layer"], row["product"], "float32"))
            if row["gradients"] == "int8" and before:
                row["speedup"] = before / row["seconds"]
    return {"layers": layers, "totals": totals}


def blas_seconds(product, shape, threads, effort):
    """Seconds of float32 BLAS on ``threads`` threads for the same matrix product.

    Its operands lie ready as matrices; a convolution would have to gather them first.
    """
    rows, inner, columns = shape
    x, w = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    y = np.ones((rows, columns), np.float32)
    a, b, out = dict(zip(PRODUCTS, ((x, w, y), (y, w.T, x), (x.T, y, w)), strict=True))[product]
    with threadpool_limits(limits=threads, user_api="blas"):
        return measure(lambda: np.matmul(a, b, out=out), effort)["seconds"]


def products(training):
    """Yield the Products of a training step, in its order."""
    net, found, shape = training.net, {}, training.net.input_shape
    for layer in net.layers:
        found[layer.name] = layer, shape
        shape = layer.output_shape(shape)
    for call in one_step(training):
        product = product_of(call.operation)
        if not product:
            continue
        layer, shape = found[call.layer]
        signs, pooled = layer is not net.layers[0], "_pool" in call.operation
        kernel = layer.kernel.shape
        rows = len(training.x) * prod(layer.output_shape(shape)[:-1])
        yield Product(
            layer=layer.name,
            product=product,
            shape=(rows, prod(kernel[:-1]), kernel[-1]),
            pooled=pooled,
            signs=signs,
            gradients="" if product == "forward" else net.gradients,
            limit=_limit(product, layer, shape, signs, pooled, net.gradients),
            call=call.again,
        )


def _limit(product, layer, shape, signs, pooled, gradients):
    """The name of a peak; ``shape`` is that of the layer's input."""
    tables = "float32" if gradients == "float32" else "int16"
    if not signs:
        return "int16 bytes" if product == "kernel gradient" and tables == "int16" else "sgemm"
    if product == "forward":
        return "popcount"
    if not pooled:
        return f"{tables} table"
    if product == "kernel gradient":
        return f"{tables} select windows"
    by_windows = layer.kernel_size == (3, 3) and fits_windows(layer.strides, shape[2])
    return f"{tables} select pixels" if by_windows else f"{tables} table"
