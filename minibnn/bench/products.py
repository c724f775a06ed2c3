"""The products of every layer of BinaryNet in a training step, beside float32 BLAS."""

import numpy as np
from threadpoolctl import threadpool_limits

from minibnn.bench.clock import measure
from minibnn.bench.networks import Training
from minibnn.bench.trace import summed, traced

PRODUCTS = ("forward", "input gradient", "kernel gradient")


def measure_products(setting):
    """A dict of "layers", a row per product, and "totals" over the layers with signs as inputs.

    Gradients in int8 have a "speedup" over the same in float32.
    """
    found, blas = {}, {}
    for kind in setting.gradients:
        training = Training(setting.filters, setting.batch_size, kind)
        for row in traced(training, setting.steps)[1]:
            if product := row["product"]:
                row["gradients"] = "" if product == "forward" else kind
                which = product, *row["shape"]
                if which not in blas:
                    blas[which] = blas_seconds(*which, setting.threads, setting.effort)
                row["blas_seconds"] = blas[which]
                found.setdefault((row["layer"], PRODUCTS.index(product), row["gradients"]), row)
    layers = [found[key] for key in sorted(found)]
    totals = []
    for name, prefix in (("binary convolutions", "conv"), ("all binary layers", "")):
        mine = [r | {"layer": name} for r in layers if r["signs"] and r["layer"].startswith(prefix)]
        fields = ("macs", "seconds", "blas_seconds")
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


def blas_seconds(product, rows, inner, columns, threads, effort):
    """Seconds of float32 BLAS for the same matrix product, of operands that lie ready for it."""
    x, w = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    y = np.ones((rows, columns), np.float32)
    a, b, out = dict(zip(PRODUCTS, ((x, w, y), (y, w.T, x), (x.T, y, w)), strict=True))[product]
    with threadpool_limits(limits=threads, user_api="blas"):
        return measure(lambda: np.matmul(a, b, out=out), effort)["seconds"]
