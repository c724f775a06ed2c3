"""A report as tables for a person."""

from minibnn.bench.products import PRODUCTS
from minibnn.tables import Table


def header(report):
    about, asked = report["machine"], report["settings"]
    lines = [
        f"{about['cpu']}, {about['cores']} cores, {about['system']}; "
        f"threads {about['threads']}, vector path {about['vector_path']}",
        ", ".join(f"{name} {v}" for name, v in about["versions"].items() if v),
        f"BinaryNet on 32x32x3 images, filters {asked['filters']}, dense units "
        f"{8 * asked['filters']}, batch {asked['batch']} unless stated otherwise; medians",
    ]
    load = about["load_average"]
    if load is not None and load > 0.5 * about["cores"]:
        lines.append(f"The machine is busy (load average {load:.2f}): expect too low numbers.")
    return "\n".join(lines)


def footer(report):
    compiled = f"{report['compile_seconds']:.0f} s compiled kernels that were not on disk yet"
    return f"\n{report['seconds']:.0f} s in all, of which {compiled} (in no number above)"


def section(name, found):
    """The tables of one section, as text."""
    made = {"products": _products, "rates": _rates, "startup": _startup, "scaling": _scaling}
    return "".join(f"\n{table}\n" for table in made[name](found))


def _table(rows, columns, left, title, notes=()):
    """A Table of ``columns``, a dict: heading -> what makes a row's text."""
    lines = [[text(row) for text in columns.values()] for row in rows]
    return Table([*columns], lines, left, title, notes=notes)


def _products(found):
    rows = sorted([*found["layers"], *found["totals"]], key=lambda r: PRODUCTS.index(r["product"]))
    columns = {
        "product": lambda r: r["product"],
        "layer": lambda r: r["layer"] + "*" * r.get("pooled", False),
        "gradient": lambda r: r["gradients"],
        "rows x summed x columns": lambda r: "x".join(map(str, r.get("shape", ()))),
        "ms": lambda r: f"{1e3 * r['seconds']:.3g}",
        "speedup": lambda r: f"{r['speedup']:.2f}" if "speedup" in r else "",
        "G/s": lambda r: short(r["gmacs_per_s"]),
        "BLAS": lambda r: short(r["blas_gmacs_per_s"]),
        "times": lambda r: f"{r['gmacs_per_s'] / r['blas_gmacs_per_s']:.1f}",
    }
    notes = [
        "G/s: multiply-adds. Speedup: over float32. BLAS: float32, on matrices that lie ready.",
        "* with 2x2 max pooling in one, counted as the plain convolution.",
    ]
    return [_table(rows, columns, 3, "Products", notes)]


def _rates(rows):
    columns = {field: lambda r, f=field: str(r[f]) for field in ("filters", "batch", "threads")}
    for kind in [field for field in rows[0] if field not in columns]:
        columns[kind] = lambda r, k=kind: short(r[k]["images_per_s"])
    notes = [
        "Training: forward, loss, backward, Bop and Adam.",
        "Inference: evaluation mode. Packed: the same on bits and thresholds.",
    ]
    return [_table(rows, columns, 0, "BinaryNet, images/s", notes)]


def _startup(found):
    rows = [{"gradients": k, **one, **one["warm"], **one["memory"]} for k, one in found.items()]
    columns = {
        "gradients": lambda r: r["gradients"],
        "first step, s": lambda r: f"{r['seconds']:.2f}",
        "imports": lambda r: f"{r['import_seconds']:.2f}",
        "network": lambda r: f"{r['build_seconds']:.2f}",
        "step": lambda r: f"{r['first_step_seconds']:.2f}",
        "peak memory, MB": lambda r: f"{r['peak_bytes'] / 1e6:.0f}" if r["peak_bytes"] else "-",
    }
    if "cold" in rows[0]:
        columns["nothing compiled, s"] = lambda r: f"{r['cold']['seconds']:.1f}"
        columns["compiling"] = lambda r: f"{r['cold']['compile_seconds']:.1f}"
    notes = ["From the start of Python to the end of the first step, compiled code on disk."]
    return [_table(rows, columns, 1, "To the first training step, and memory", notes)]


def _scaling(found):
    threads = {
        "threads": lambda r: str(r["threads"]),
        "images/s": lambda r: short(r["images_per_s"]),
        "times": lambda r: f"{r['times']:.2f}",
        "efficiency": lambda r: f"{100 * r['efficiency']:.0f} %",
    }
    passes = {
        "pass": lambda r: r["pass"],
        "ms on 1 thread": lambda r: f"{1e3 * r['one']:.2f}",
        f"on {found['threads'][-1]['threads']}": lambda r: f"{1e3 * r['all']:.2f}",
        "serial share": lambda r: "-" if (s := r["serial_share"]) is None else f"{100 * s:.0f} %",
    }
    title = f"Training on more threads, {found['gradients']} gradients"
    return [
        _table(found["threads"], threads, 0, title),
        _table(found["passes"], passes, 1, "A step, pass by pass"),
    ]


def short(number):
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
