"""What more threads are worth: images/s in training, and which pass of a step is serial.

A pass that takes t1 seconds on one thread and tn on n has a serial share s after Amdahl:
tn = t1 (s + (1 - s) / n). Waiting for memory or for other threads counts as serial.
"""

from minibnn.bench.clock import rate
from minibnn.bench.networks import Training
from minibnn.bench.trace import summed, traced
from minibnn.ops.threads import compute_threads


def measure_scaling(setting):
    """A dict of "threads", a row for 1, 2, 4, ... of them, and "passes", a row for each pass."""
    training = Training(setting.filters, setting.batch_size, setting.gradients[-1])
    counts = {2**k for k in range(setting.threads.bit_length())} | {setting.threads}
    rows, traces = [], {}
    for count in sorted(counts):
        with compute_threads(count):
            run = rate(setting.batch_size, training.step, setting.effort)
            if count in (1, setting.threads):
                _, calls = traced(training, setting.steps)
                passes = summed(calls, ["pass"], ["seconds"])
                traces[count] = {row["pass"]: row["seconds"] for row in passes}
        times = run["images_per_s"] / (rows[0]["images_per_s"] if rows else run["images_per_s"])
        rows.append({"threads": count, "times": times, "efficiency": times / count, **run})
    return {
        "gradients": setting.gradients[-1],
        "threads": rows,
        "passes": _passes(traces[1], traces[setting.threads], setting.threads),
    }


def _passes(one, many, threads):
    """Rows of passes, the slowest on one thread first, of {pass: seconds}."""
    rows = []
    for name, alone in sorted(one.items(), key=lambda item: -item[1]):
        together = many[name]
        share = None
        if threads > 1:
            share = min(max((threads * together / alone - 1) / (threads - 1), 0.0), 1.0)
        rows.append({"pass": name, "one": alone, "all": together, "serial_share": share})
    return rows


def draw_scaling(path, report):
    """Draw a report with scaling: images/s by threads, and the passes' serial milliseconds."""
    from minibnn.training.plots.style import label, line, new_figure, save, style

    found = report["scaling"]
    counts = [row["threads"] for row in found["threads"]]
    speeds = [row["images_per_s"] for row in found["threads"]]
    left, right = (figure := new_figure(12, 4.6)).subplots(1, 2)
    line(left, counts, speeds, label="measured", **style(0))
    line(left, counts, [speeds[0] * n for n in counts], label="ideal", color="0.6", linestyle=":")
    label(left, f"Training BinaryNet, {found['gradients']} gradients", "images/s", x="threads")
    left.set_ylim(bottom=0)
    left.legend(frameon=False)
    passes = [row for row in found["passes"] if row["serial_share"] is not None][:12][::-1]
    names, serial = [row["pass"] for row in passes], [row["serial_share"] for row in passes]
    right.barh(names, [1e3 * row["one"] for row in passes], color="0.85", label="in parallel")
    milliseconds = [1e3 * row["one"] * s for row, s in zip(passes, serial, strict=True)]
    right.barh(names, milliseconds, color=style(1)["color"], label="serial")
    label(right, "Serial share by pass", "", x="milliseconds on one thread")
    right.legend(frameon=False, loc="lower right")
    save(figure, path)
