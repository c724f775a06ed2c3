"""Where the milliseconds of a training step go, and what each pass would take at its limit.

A product cannot be faster than its tile on operands in the first-level cache (the first layer with
floats: than BLAS), and nothing faster than its inputs and outputs can be copied; the limit of a
pass is the later of the two. Arrays that stay in a cache may beat the copy, which is of arrays that
do not.
"""

from minibnn.bench.networks import Training, binarynet
from minibnn.bench.peaks import copy_rate, limits, peak_rates
from minibnn.bench.products import products
from minibnn.bench.tables import HEADINGS, plural
from minibnn.bench.trace import by_pass, traced
from minibnn.ops import backend
from minibnn.ops.threads import compute_threads

FIELDS = ("macs", "bytes", "seconds", "limit_seconds")


def measure_roofline(threads=None, filters=128, batch_size=50, gradients="float32", steps=9):
    """A dict with the step's median seconds and a row per pass and layer, in their order."""
    import numba

    with compute_threads(threads), backend.using("numba"):
        threads = numba.get_num_threads()
        net = binarynet(filters, gradients)
        known = {
            (p.layer, p.product): (p.macs, p.limit) for p in products(net, batch_size, (gradients,))
        }
        peaks, copied = peak_rates(threads), copy_rate()
        rates = limits(peaks)
        whole, rows = traced(Training(net, batch_size), steps)
    for row in rows:
        macs, limit = known.get((row["layer"], row["product"]), (0, ""))
        at_peak = macs / rates[limit] if rates.get(limit) else 0.0
        at_memory = row["bytes"] / copied
        row["macs"], row["limit_seconds"] = macs, max(at_peak, at_memory)
        row["limit"] = "peak" if at_peak > at_memory else "memory"
    return {
        "seconds": whole,
        "filters": filters,
        "batch": batch_size,
        "threads": threads,
        "gradients": gradients,
        "copy_gb_per_s": copied / 1e9,
        "peaks_gmacs_per_s": {k: v and v / 1e9 for k, v in peaks.items()},
        "rows": rows,
    }


def roofline_markdown(found):
    """The tables of a roofline for a README."""
    rows, total = found["rows"], sum(row["seconds"] for row in found["rows"])
    passes = sorted(by_pass(rows, FIELDS).values(), key=lambda row: -row["seconds"])
    peaks = ", ".join(f"{k} {v:.0f}" for k, v in found["peaks_gmacs_per_s"].items() if v)
    head = ("ms", "share", "at the limit, ms", "G multiply-adds/s", "GB/s")
    lines = [
        f"BinaryNet, filters {found['filters']}, batch {found['batch']}, "
        f"{plural(found['threads'], 'thread')}, {found['gradients']} gradients: "
        f"{1e3 * found['seconds']:.1f} ms a step, "
        f"{found['batch'] / found['seconds']:.0f} images/s; the passes below take "
        f"{1e3 * total:.1f} ms. Peaks: {peaks} G multiply-adds/s; copy "
        f"{found['copy_gb_per_s']:.1f} GB/s.",
        "",
        *_lines(("pass", *head), [(row["pass"], *_cells(row, total)) for row in passes]),
        "",
        *_lines(
            ("product", "layer", *head, "limit"),
            [
                (row["product"], row["layer"], *_cells(row, total), row["limit"])
                for product in HEADINGS
                for row in rows
                if row["product"] == product
            ],
        ),
    ]
    return "\n".join(lines)


def _cells(row, total):
    seconds = row["seconds"]
    return (
        f"{1e3 * seconds:.2f}",
        f"{100 * seconds / total:.1f} %",
        f"{1e3 * row['limit_seconds']:.2f}",
        f"{row['macs'] / seconds / 1e9:.0f}" if row["macs"] else "",
        f"{row['bytes'] / seconds / 1e9:.1f}",
    )


def _lines(head, rows):
    text = sum(cell in ("pass", "product", "layer") for cell in head)
    rule = ["---"] * text + ["---:"] * (len(head) - text)
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
