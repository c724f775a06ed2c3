"""Where the milliseconds of a training step go, and what each pass would take at its limit.

A product cannot be faster than its tile on operands in the first-level cache (the first layer with
floats: than BLAS), and nothing faster than its inputs and outputs can be copied; the limit of a
pass is the later of the two. Arrays that stay in a cache may beat the copy, which is of arrays that
do not.

    python examples/benchmarks/roofline.py --gradients int8   the tables of ops/kernels/README.md
"""

import argparse
import json
from operator import itemgetter

import peaks

from minibnn.bench.clock import GRADIENTS, QUICK, Setting
from minibnn.bench.networks import Training
from minibnn.bench.products import PRODUCTS
from minibnn.bench.trace import summed, traced
from minibnn.ops import backend
from minibnn.ops.kernels.grad_windows import fits_windows
from minibnn.ops.threads import compute_threads

FIELDS = ("macs", "bytes", "seconds", "limit_seconds")


def measure_roofline(setting):
    """The step's median seconds, and a row per pass and layer, for the first type of gradients."""
    import numba

    gradients, effort = setting.gradients[0], setting.effort
    with compute_threads(setting.threads), backend.using("numba"):
        threads = numba.get_num_threads()
        training = Training(setting.filters, setting.batch_size, gradients)
        found, copied = peaks.peak_rates(threads, gradients, effort), peaks.copy_rate(effort)
        rates = peaks.limits(found)
        whole, rows = traced(training, setting.steps)
    for row in rows:
        row.setdefault("macs", 0)
        rate = rates.get(limit_of(row, gradients)) if row["product"] else None
        at_peak = row["macs"] / rate if rate else 0.0
        at_memory = row["bytes"] / copied
        row["limit_seconds"] = max(at_peak, at_memory)
        row["limit"] = "peak" if at_peak > at_memory else "memory"
    return {
        "seconds": whole,
        "filters": setting.filters,
        "batch": setting.batch_size,
        "threads": threads,
        "gradients": gradients,
        "copy_gb_per_s": copied / 1e9,
        "peaks_gmacs_per_s": {k: v and v / 1e9 for k, v in found.items()},
        "rows": rows,
    }


def limit_of(row, gradients):
    """The name of the peak, as in ``peaks.limits``, that a product is held against."""
    kernel = row["product"] == "kernel gradient"
    if not row["signs"]:
        return "bytes" if kernel and gradients == "int8" else "sgemm"
    if row["product"] == "forward":
        return "popcount"
    if row["pooled"] and kernel:
        return "select windows"
    by_windows = row["pooled"] and fits_windows((1, 1), row["shape"][1] // 9)  # of 3x3 kernels
    return "select pixels" if by_windows else "table"


def roofline_markdown(found):
    """The tables of a roofline for a README."""
    rows, total = found["rows"], sum(row["seconds"] for row in found["rows"])
    passes = sorted(summed(rows, ["pass"], FIELDS), key=lambda row: -row["seconds"])
    products = [row for name in PRODUCTS for row in rows if row["product"] == name]
    tiles = ", ".join(f"{k} {v:.0f}" for k, v in found["peaks_gmacs_per_s"].items() if v)
    words = (
        f"BinaryNet, filters {found['filters']}, batch {found['batch']}, "
        f"threads {found['threads']}, {found['gradients']} gradients: "
        f"{1e3 * found['seconds']:.1f} ms a step, "
        f"{found['batch'] / found['seconds']:.0f} images/s; the passes below take "
        f"{1e3 * total:.1f} ms. Peaks: {tiles} G multiply-adds/s; copy "
        f"{found['copy_gb_per_s']:.1f} GB/s."
    )
    numbers = {
        "ms": lambda r: f"{1e3 * r['seconds']:.2f}",
        "share": lambda r: f"{100 * r['seconds'] / total:.1f} %",
        "at the limit, ms": lambda r: f"{1e3 * r['limit_seconds']:.2f}",
        "G multiply-adds/s": lambda r: f"{r['macs'] / r['seconds'] / 1e9:.0f}" if r["macs"] else "",
        "GB/s": lambda r: f"{r['bytes'] / r['seconds'] / 1e9:.1f}",
    }
    named = {name: itemgetter(name) for name in ("product", "layer")}
    tables = [
        _markdown(passes, {"pass": itemgetter("pass")} | numbers, 1),
        _markdown(products, named | numbers | {"limit": itemgetter("limit")}, 2),
    ]
    return "\n\n".join([words, *tables])


def _markdown(rows, columns, left):
    lines = [[text(row) for text in columns.values()] for row in rows]
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, default=128, help="of the first convolution")
    parser.add_argument("--batch-size", type=int, default=50, help="images per step")
    parser.add_argument("--gradients", choices=GRADIENTS, default=GRADIENTS[0])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    setting = Setting(asked.threads, asked.filters, asked.batch_size, (asked.gradients,))
    found = measure_roofline(setting._replace(effort=QUICK) if asked.quick else setting)
    print(json.dumps(found, indent=2) if asked.json else roofline_markdown(found))


if __name__ == "__main__":
    main()
