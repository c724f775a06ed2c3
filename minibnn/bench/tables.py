"""A report as tables for a person: rich ones for a terminal, Markdown for a README."""

PATHS = {
    "avx512vbmi": "AVX-512 with VBMI",
    "avx512": "AVX-512",
    "avx2": "AVX2",
    "generic": "no vector path of its own",
}
HEADINGS = ("forward", "input gradient", "kernel gradient")


def header(report):
    """Lines that say what was measured on what."""
    about, asked = report["machine"], report["settings"]
    threads = about["threads"]
    versions = ", ".join(f"{name} {v}" for name, v in about["versions"].items() if v)
    lines = [
        f"{about['cpu']}, {about['cores']} cores, {about['system']}; {threads} "
        f"thread{'s' if threads > 1 else ''}, {PATHS[about['vector_path']]}",
        versions,
        f"BinaryNet on 32x32x3 pictures, filters {asked['filters']}, dense units "
        f"{8 * asked['filters']}, batch {asked['batch']} where nothing else is said; medians",
    ]
    load = about["load_average"]
    if load is not None and load > 0.5 * about["cores"]:
        lines.append(f"The machine is busy (load average {load:.2f}): expect too low numbers.")
    return lines


def footer(report):
    """A line on the time it took."""
    return (
        f"{report['seconds']:.0f} s in all, of which {report['compile_seconds']:.0f} s compiled "
        "kernels that were not on disk yet (in no number above)"
    )


def section(name, report):
    """The rich tables of one section."""
    return {
        "products": _products,
        "optimizers": _optimizers,
        "rates": _rates,
        "startup": _startup,
        "peers": _peers,
    }[name](report)


def _products(report):
    found, peaks = report["products"], report["peaks"]
    table = _table(
        "Products, G multiply-adds/s",
        ("layer", "rows x summed x columns", "gradient", "ms", "speedup", "G/s", "BLAS", "times",
         "peak", "share"),
        "Beside float32 BLAS on matrices that lie ready, and beside the peak: of the tile on "
        "operands in the first-level cache, for floats of the first layer (bytes) of BLAS. "
        "Speedup: over float32. * with 2x2 max pooling in one, counted as the plain convolution.",
    )  # fmt: skip
    for product in HEADINGS:
        table.add_section()
        table.add_row(f"[bold]{product}[/]")
        rows = [r for part in ("layers", "totals") for r in found[part] if r["product"] == product]
        for row in rows:
            table.add_row(*_product(row))
    if found["bare"]:
        table.add_section()
        table.add_row("[bold]forward, bare matrices[/]")
        for row in found["bare"]:
            table.add_row(*_product(row))
    notes = ", ".join(
        f"{name.rpartition(' ')[0]} {rate:.4g}"
        for name, rate in peaks.items()
        if rate and name.endswith("gmacs_per_s")
    )
    return [table, f"Peaks in G/s: {notes}; copy {peaks['copy gb_per_s']:.3g} GB/s"]


def _product(row):
    limit, blas, rate = row["limit_gmacs_per_s"], row["blas_gmacs_per_s"], row["gmacs_per_s"]
    shape = "x".join(map(str, row["shape"])) if "shape" in row else ""
    return (
        row["layer"] + "*" * row.get("pooled", False),
        shape,
        row["gradients"],
        f"{1e3 * row['seconds']:.3g}",
        f"{row['speedup']:.2f}" if "speedup" in row else "",
        _short(rate),
        _short(blas),
        f"{rate / blas:.1f}",
        _short(limit) if limit else "",
        f"{100 * rate / limit:.0f} %" if limit else "",
    )


def _optimizers(report):
    rows = report["optimizers"]
    table = _table(
        f"Optimizer steps on {rows[0]['weights']:,} weights",
        ("optimizer", "bytes per weight", "ms", "GB/s", "copy", "share"),
        "Bytes that have to be moved, once; a copy moves as many over all threads.",
    )
    for row in rows:
        table.add_row(
            row["optimizer"],
            f"{row['bytes'] / row['weights']:.0f}",
            f"{1e3 * row['seconds']:.3g}",
            f"{row['gb_per_s']:.3g}",
            f"{row['copy_gb_per_s']:.3g}",
            f"{100 * row['gb_per_s'] / row['copy_gb_per_s']:.0f} %",
        )
    return [table]


def _rates(report):
    rows = report["rates"]
    counts = sorted({row["threads"] for row in rows})
    kinds = [field for field, value in rows[0].items() if isinstance(value, dict)]
    jobs = [(job, count) for job in kinds for count in counts]
    table = _table(
        "BinaryNet, images/s",
        ("filters", "batch", *(f"{j} on {c} thread{'s' if c > 1 else ''}" for j, c in jobs)),
        "Training: forward, loss, backward, Bop and Adam (in brackets: times float32's). "
        "Inference: evaluation mode. Packed: the same on bits and thresholds.",
    )
    cells = {}
    for row in rows:
        for job in kinds:
            rate, times = _short(row[job]["images_per_s"]), row[job].get("speedup")
            words = f"{rate} ({times:.2f})" if times else rate
            cells[row["filters"], row["batch"], job, row["threads"]] = words
    last = None
    for filters, size in dict.fromkeys((row["filters"], row["batch"]) for row in rows):
        if last not in (None, filters):
            table.add_section()
        last = filters
        table.add_row(str(filters), str(size), *(cells[filters, size, *job] for job in jobs))
    return [table]


def _startup(report):
    found = report["startup"]
    table = _table("To the first training step, and memory", ("what", *found), None)
    warm = [
        f"{one['seconds']:.2f} s (imports {one['import_seconds']:.2f}, network "
        f"{one['build_seconds']:.2f}, step {one['first_step_seconds']:.2f})"
        for one in (both["warm"] for both in found.values())
    ]
    table.add_row("start to the end of the first step, compiled code on disk", *warm)
    if cold := [one["cold"] for one in found.values() if "cold" in one]:
        table.add_row(
            "the same with nothing compiled",
            *(f"{one['seconds']:.1f} s (compiling {one['compile_seconds']:.1f})" for one in cold),
        )
    memory = [one["memory"] for one in found.values()]
    table.add_row(
        f"peak memory of a process that trains {memory[0]['steps']} steps",
        *(
            f"{one['peak_bytes'] / 1e6:.0f} MB" if one["peak_bytes"] else "not known on this system"
            for one in memory
        ),
    )
    return [table]


def _peers(report):
    found = report["peers"]
    rows = [row for row in found["rows"] if "skipped" not in row]
    shown = []
    if rows:
        table = _table(
            "The same step, in turns",
            ("", "training, images/s", "times", "int8 times", "inference, images/s", "times",
             "peak memory"),
            "Times: minibnn's speed over the other's; int8 times: that of minibnn-int8.",
        )  # fmt: skip
        for row in rows:
            cells = [row["peer"]]
            for job, ours in (("training", ("minibnn", "int8")), ("inference", ("minibnn",))):
                one = row.get(job)
                cells.append(_short(one["images_per_s"]) if one else "")
                for name in ours:
                    times = one and one.get(f"{name}_times")
                    cells.append(f"{times:.2f}" if times else "")
            table.add_row(*cells, f"{row['peak_bytes'] / 1e6:.0f} MB")
        shown.append(table)
    left_out = (r for r in found["rows"] if "skipped" in r)
    return shown + [f"{row['peer']}: left out, {row['skipped']}" for row in left_out]


def _table(title, columns, caption):
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, caption=caption, box=box.SIMPLE_HEAD, title_justify="left",
        caption_justify="left", title_style="bold", pad_edge=False,
    )  # fmt: skip
    for k, column in enumerate(columns):
        longest = max(map(len, column.split()), default=0)
        side = "left" if k == 0 else "right"
        table.add_column(column, justify=side, no_wrap=k == 0, min_width=longest)
    return table


def _short(number):
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def roofline_markdown(found):
    """The tables of ``bench.roofline`` for a README."""
    from minibnn.bench.roofline import by_pass

    threads = found["threads"]
    total = sum(row["seconds"] for row in found["rows"])
    lines = [
        f"BinaryNet, filters {found['filters']}, batch {found['batch']}, {threads} "
        f"thread{'s' if threads > 1 else ''}, {found['gradients']} gradients: "
        f"{1e3 * found['seconds']:.1f} ms a step, "
        f"{found['batch'] / found['seconds']:.0f} images/s; the passes below take "
        f"{1e3 * total:.1f} ms. Peaks: "
        + ", ".join(f"{k} {v:.0f}" for k, v in found["peaks_gmacs_per_s"].items() if v)
        + f" G multiply-adds/s; copy {found['copy_gb_per_s']:.1f} GB/s.",
        "",
        *_lines(
            ("pass", "ms", "share", "at the limit, ms", "G multiply-adds/s", "GB/s"),
            [
                (row["pass"], *_cells(row, total))
                for row in sorted(by_pass(found["rows"]), key=lambda row: -row["seconds"])
            ],
        ),
        "",
        *_lines(
            ("product", "layer", "ms", "share", "at the limit, ms", "G multiply-adds/s", "GB/s",
             "limit"),
            [
                (row["product"], row["layer"], *_cells(row, total), row["limit"])
                for product in HEADINGS
                for row in found["rows"]
                if row["product"] == product
            ],
        ),
    ]  # fmt: skip
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
