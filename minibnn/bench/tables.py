"""A report as tables for a person."""

from minibnn.tables import Table

PATHS = {
    "avx512vbmi": "AVX-512 with VBMI",
    "avx512": "AVX-512",
    "avx2": "AVX2",
    "generic": "no vector path of its own",
}
HEADINGS = ("forward", "input gradient", "kernel gradient")


def header(report):
    """What was measured on what."""
    about, asked = report["machine"], report["settings"]
    lines = [
        f"{about['cpu']}, {about['cores']} cores, {about['system']}; "
        f"{plural(about['threads'], 'thread')}, {PATHS[about['vector_path']]}",
        ", ".join(f"{name} {v}" for name, v in about["versions"].items() if v),
        f"BinaryNet on 32x32x3 images, filters {asked['filters']}, dense units "
        f"{8 * asked['filters']}, batch {asked['batch']} where nothing else is said; medians",
    ]
    load = about["load_average"]
    if load is not None and load > 0.5 * about["cores"]:
        lines.append(f"The machine is busy (load average {load:.2f}): expect too low numbers.")
    return "\n".join(lines)


def footer(report):
    """A line on the time it took."""
    return (
        f"\n{report['seconds']:.0f} s in all, of which {report['compile_seconds']:.0f} s compiled "
        "kernels that were not on disk yet (in no number above)"
    )


def section(name, found):
    """The tables of one section, as text."""
    made = {"products": _products, "rates": _rates, "startup": _startup, "scaling": _scaling}
    return "".join(f"\n{table}\n" for table in made[name](found))


def _products(found):
    lines = []
    for product in HEADINGS:
        for row in [*found["layers"], *found["totals"]]:
            if row["product"] == product:
                lines.append(
                    [
                        product,
                        row["layer"] + "*" * row.get("pooled", False),
                        row["gradients"],
                        "x".join(map(str, row.get("shape", ()))),
                        f"{1e3 * row['seconds']:.3g}",
                        f"{row['speedup']:.2f}" if "speedup" in row else "",
                        short(row["gmacs_per_s"]),
                        short(row["blas_gmacs_per_s"]),
                        f"{row['gmacs_per_s'] / row['blas_gmacs_per_s']:.1f}",
                    ]
                )
    head = ["product", "layer", "gradient", "rows x summed x columns", "ms", "speedup", "G/s"]
    notes = [
        "G/s: multiply-adds. Speedup: over float32. BLAS: float32, on matrices that lie ready.",
        "* with 2x2 max pooling in one, counted as the plain convolution.",
    ]
    return [Table([*head, "BLAS", "times"], lines, 3, "Products", notes=notes)]


def _rates(rows):
    kinds = [field for field, value in rows[0].items() if isinstance(value, dict)]
    lines = []
    for row in rows:
        line = [str(row["filters"]), str(row["batch"]), str(row["threads"])]
        for kind in kinds:
            times = row[kind].get("speedup")
            speed = short(row[kind]["images_per_s"])
            line.append(f"{speed} ({times:.2f})" if times else speed)
        lines.append(line)
    notes = [
        "Training: forward, loss, backward, Bop and Adam (in brackets: times float32's).",
        "Inference: evaluation mode. Packed: the same on bits and thresholds.",
    ]
    head = ["filters", "batch", "threads", *kinds]
    return [Table(head, lines, 0, "BinaryNet, images/s", notes=notes)]


def _startup(found):
    lines = []
    for kind, one in found.items():
        warm, cold, memory = one["warm"], one.get("cold"), one["memory"]["peak_bytes"]
        fields = ("seconds", "import_seconds", "build_seconds", "first_step_seconds")
        line = [kind, *(f"{warm[field]:.2f}" for field in fields)]
        line.append(f"{memory / 1e6:.0f}" if memory else "-")
        if cold:
            line += [f"{cold['seconds']:.1f}", f"{cold['compile_seconds']:.1f}"]
        lines.append(line)
    head = ["gradients", "first step, s", "imports", "network", "step", "peak memory, MB"]
    head += ["nothing compiled, s", "compiling"] if cold else []
    notes = ["From the start of Python to the end of the first step, compiled code on disk."]
    return [Table(head, lines, 1, "To the first training step, and memory", notes=notes)]


def _scaling(found):
    most = found["threads"][-1]["threads"]
    lines = [
        [
            str(row["threads"]),
            short(row["images_per_s"]),
            f"{row['times']:.2f}",
            f"{100 * row['efficiency']:.0f} %",
        ]
        for row in found["threads"]
    ]
    passes = [
        [
            row["pass"],
            f"{1e3 * row['one']:.2f}",
            f"{1e3 * row['all']:.2f}",
            "-" if row["serial_share"] is None else f"{100 * row['serial_share']:.0f} %",
        ]
        for row in found["passes"]
    ]
    title = f"Training on more threads, {found['gradients']} gradients"
    head = ["pass", "ms on 1 thread", f"on {most}", "serial share"]
    return [
        Table(["threads", "images/s", "times", "efficiency"], lines, 0, title),
        Table(head, passes, 1, "A step, pass by pass"),
    ]


def plural(count, word):
    """``1 thread``, ``2 threads``."""
    return f"{count} {word}{'s' if count > 1 else ''}"


def short(number):
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
