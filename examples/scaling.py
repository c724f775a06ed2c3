"""``scaling.md``: what to expect of several machines, from figures measured on one.

    python examples/scaling.py keep [--stopped] REPORT.json ...   take over what was measured
    python examples/scaling.py draw                               write the page and its figure

Reports are the ``--json`` of ``run.py``, ``ranks.py``, ``loader.py`` and ``exchange.py`` in
``examples/benchmarks``; ``scaling.json`` keeps what is needed of them.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
KEPT, PAGE, FIGURE = HERE / "scaling.json", HERE / "scaling.md", HERE / "scaling.png"

LATENCY = 50e-6  # seconds from program to program, of every link here
LINKS = {f"{n} GbE": 0.9 * n * 1e9 / 8 for n in (1, 10, 25)}  # bytes/s: nine tenths of the line
NODES = (1, 2, 4, 8, 16, 32, 64)
IMAGENET = 1_281_167  # training images
BUSY = "**Other work ran on the machine: these are not the speeds that it has.**"
TITLES = {
    "binarynet": "BinaryNet",
    "birealnet": "Bi-Real Net",
    "binary_alexnet": "Binary AlexNet",
    "xnornet": "XNOR-Net",
}
BATCH = {"binarynet": 50, "birealnet": 1024}  # of the paper's section 5.2 and code of 5.3
EACH = {"binarynet": 50, "birealnet": 32}  # images of every node where the batch grows
EPOCHS = {"binary_alexnet": 150, "xnornet": 100, "birealnet": 300}


class Network:
    """Step time and traffic of one network, from ``scaling.json``.

    Attributes
    ----------
    binary, real, norms : int
        Binary weights, real parameters, channels of batch normalisation.
    fixed, each : float
        Seconds of a step: fixed + each * images, fitted to the measured steps.
    decoding : float
        Seconds that an image costs more when it comes from a file.
    """

    def __init__(self, name, kept):
        found = kept["networks"][name]
        self.name = name
        self.binary, self.real, self.norms = (found[k] for k in ("binary", "real", "norms"))
        self.layers = found["norm_layers"]
        self.points = found["points"]
        batches, seconds, peaks = (
            np.array([p[k] for p in self.points], float) for k in ("batch", "seconds", "peak_bytes")
        )
        self.fixed, self.each = fit(batches, seconds)
        self.peak = fit(batches, peaks)
        self.local = kept["ranks"]["seconds_per_byte"]
        self.decoding = max(0.0, 1 / kept["loader"]["fed"] - 1 / kept["loader"]["in_memory"])

    @property
    def buffer(self):
        """Bytes that are averaged in a step: gradients and both moving statistics, float32."""
        return 4 * (self.binary + self.real + 2 * self.norms)

    def compute(self, images, files=False):
        """Seconds of a step of one node without any exchange."""
        return self.fixed + (self.each + self.decoding * files) * images

    def exchange(self, nodes, rate, size=None, sync=False):
        """Seconds of averaging ``size`` bytes (by default the buffer) at ``rate`` bytes/s.

        Every node sends 2 (N - 1) / N of them in 2 (N - 1) messages; two small sums follow, and
        with ``sync`` two more for each layer of batch normalisation. Copying and adding up are
        what they are between two ranks of one machine.
        """
        if nodes == 1:
            return 0.0
        size = self.buffer if size is None else size
        small = 2 + 2 * self.layers * sync
        messages = 2 * (nodes - 1) + small * math.ceil(math.log2(nodes))
        sent = 2 * (nodes - 1) / nodes * size
        return sent / rate + messages * LATENCY + size * self.local

    def rate(self, nodes, link, batch, sync=False, size=None, files=False):
        """Images a second of all nodes together, for a batch of all."""
        seconds = self.compute(batch / nodes, files)
        return batch / (seconds + self.exchange(nodes, LINKS[link], size, sync))

    def days(self, nodes, link):
        """For the paper's recipe on ImageNet, images from files, evaluation not counted."""
        batch = BATCH["birealnet"]
        steps = EPOCHS[self.name] * (IMAGENET // batch)
        return steps * batch / self.rate(nodes, link, batch, files=True) / 86400

    def memory(self, images):
        """Bytes that a process holds at most."""
        return self.peak[0] + self.peak[1] * images


def fit(x, y):
    """(a, b) of y = a + b x, both from 0 on, with the least relative errors."""
    columns = np.stack([1 / y, x / y], 1)
    best = None
    for use in ([0, 1], [1], [0]):
        solved = np.zeros(2)
        solved[use] = np.linalg.lstsq(columns[:, use], np.ones(len(x)), rcond=None)[0]
        error = np.square(columns @ solved - 1).sum()
        if (solved >= 0).all() and (best is None or error < best[0]):
            best = error, solved
    return tuple(best[1].tolist())


def ways(net, share):
    """(what is sent of the binary part, bytes of a step, what it is worth) of every way."""
    rest = 4 * (net.real + 2 * net.norms)
    n = net.binary
    return [
        ("float32 gradients", 4 * n + rest, "exact; what minibnn does"),
        ("every rank's m instead", 4 * n + rest, "exact but for rounding; saves nothing"),
        (
            "one bit each, and m where a rank's bit is set",
            n / 8 + share * 4 * n + rest,
            "exact but for rounding",
        ),
        ("m, every 10th step", 4 * n / 10 + rest, "not exact: flips come up to 9 steps late"),
        ("bfloat16 gradients", 2 * n + rest, "not exact: 8 bits of each"),
        ("int8 gradients and a scale per layer", n + rest, "not exact; noise that m averages"),
        ("signs of gradients", n / 8 + rest, "another algorithm: magnitudes are lost"),
    ]


def table(head, rows):
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def page(kept):
    """The text of scaling.md: scaling.md.in with figures and tables in it."""
    nets = {name: Network(name, kept) for name in TITLES}
    ranks, loader, played = (kept[k] for k in ("ranks", "loader", "exchange"))
    last = played[-1]
    share = last["shares"][str(last["steps"])]
    epochs = ", ".join(f"{n} epochs for {TITLES[name]}" for name, n in EPOCHS.items())
    threads = nets["binarynet"].points[0]["threads"]
    values = kept["machine"] | {
        "load": load(kept["machine"]),
        "threads": "1 thread" if threads == 1 else f"{threads} threads",
        "measured": measured(nets),
        "fits": "; ".join(
            f"{TITLES[name]} {1000 * net.fixed:.0f} ms and {1000 * net.each:.3g} ms an image"
            for name, net in nets.items()
        ),
        "rank_count": ranks["ranks"],
        "rank_filters": ranks["filters"],
        "pairs": "; ".join(
            f"{one['times']:.2f} times the images/s of one in batches of {one['batch']}, where the "
            f"exchange takes {1000 * one['exchange_seconds']:.0f} ms, "
            f"{100 * one['exchange_share']:.1f} % of the step"
            for one in ranks["batches"]
        ),
        "local": f"{1e9 * ranks['seconds_per_byte']:.2f}",
        "loader_threads": loader["loader_threads"],
        "loader_times": loader["loader_times"],
        "fed": loader["fed"],
        "in_memory": loader["in_memory"],
        "decoding": 1000 * nets["birealnet"].decoding,
        "links": ", ".join(f"{link} {rate / 1e6:.4g} MB/s" for link, rate in LINKS.items()),
        "latency": 1e6 * LATENCY,
        "buffers": ", ".join(
            f"{n.buffer / 1e6:.1f} MB for {TITLES[n.name]}" for n in nets.values()
        ),
        "played_filters": last["filters"],
        "played_batch": last["batch"],
        "played_ranks": last["ranks"],
        "candidates": candidates(played),
        "share": 100 * share,
        "ways": comparison(nets, share),
        "imagenet": IMAGENET,
        "steps": IMAGENET // BATCH["birealnet"],
        "epochs": epochs,
        "days": durations(nets),
    }
    for name in EACH:
        values[f"{name}_real"] = nets[name].real
        values[f"{name}_each"], values[f"{name}_batch"] = EACH[name], BATCH[name]
        values[f"{name}_grown"] = speeds(nets[name], NODES, each=EACH[name])
    divisors = [n for n in range(1, 51) if BATCH["binarynet"] % n == 0]
    values["binarynet_same"] = speeds(nets["binarynet"], divisors, sync=True)
    values["birealnet_same"] = speeds(nets["birealnet"], NODES, memory=True)
    return (HERE / "scaling.md.in").read_text("utf-8").format(**values)


def load(machine):
    """A sentence or two, with a warning where the machine was busy."""
    average, stopped = machine["load_average"] or 0, machine.get("stopped")
    words = f"load average at the start {average:.1f}"
    if stopped:
        return f"{words}, of work that had been stopped just before."
    return f"{words}. {BUSY}" if average > 1 else f"{words}."


def measured(nets):
    rows = []
    for name, net in nets.items():
        for p in net.points:
            step, line = duration(p["seconds"]), duration(net.compute(p["batch"]))
            rate = f"{p['batch'] / p['seconds']:.4g}"
            rows.append([TITLES[name], str(p["batch"]), step, rate, line])
    return table(["", "images", "step", "images/s", "by the line"], rows)


def duration(seconds):
    return f"{1000 * seconds:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def candidates(played):
    rows, marks = [], list(dict.fromkeys(["10", "100", str(played[-1]["steps"])]))
    for one in played:
        shares = [f"{100 * one['shares'][mark]:.2f} %" for mark in marks]
        rows.append(
            [str(one["ranks"]), *shares, f"{one['flips']:,}", f"{one['flips_decided_otherwise']:,}"]
        )
    return table(["ranks", *(f"step {m}" for m in marks), "flips", "decided otherwise"], rows)


def comparison(nets, share):
    """Ways of sending what Bop needs, side by side."""
    both, rows = [nets[name] for name in EACH], []
    for way in zip(*(ways(net, share) for net in both), strict=True):
        cells = [way[0][0]]
        for net, (_, size, _) in zip(both, way, strict=True):
            rate = net.rate(16, "1 GbE", 16 * EACH[net.name], size=size)
            cells += [f"{size / 1e6:.2f} MB", f"{rate:.4g}"]
        rows.append([*cells, way[0][2]])
    titles = [word for net in both for word in (TITLES[net.name], "images/s")]
    return table(["sent", *titles, "exact?"], rows)


def durations(nets):
    rows = []
    for n in NODES:
        days = [nets[name].days(n, "10 GbE") for name in EPOCHS]
        days += [nets["birealnet"].days(n, link) for link in ("1 GbE", "25 GbE")]
        rows.append([str(n), *(f"{d:.3g}" for d in days)])
    links = [f"{TITLES[name]}, 10 GbE" for name in EPOCHS]
    return table(["nodes", *links, "Bi-Real Net, 1 GbE", "Bi-Real Net, 25 GbE"], rows)


def speeds(net, nodes, each=None, sync=False, memory=False):
    """Rows of images/s and their share of N times one node's, by number of nodes.

    ``each`` is how many images every node has; without it they share the recipe's batch.
    """
    rows = []
    for n in nodes:
        batch = n * each if each else BATCH[net.name]
        cells = [f"{n}", f"{batch / n:g}", duration(net.compute(batch / n))]
        cells += [f"{net.memory(batch / n) / 1e9:.1f} GB"] if memory else []
        one = (each or batch) / net.compute(each or batch)
        for link in LINKS:
            rate = net.rate(n, link, batch, sync)
            cells.append(f"{rate:.4g} ({100 * rate / (n * one):.0f} %)")
        rows.append(cells)
    head = ["nodes", "images each", "step alone", *["memory"] * memory, *LINKS]
    return table(head, rows)


def draw(kept, path):
    """Images/s by nodes, both networks, each link; the batch growing and kept."""
    from minibnn.training.plots.style import label, line, new_figure, save, style

    figure = new_figure(10, 4.2)
    for axes, name in zip(figure.subplots(1, 2), EACH, strict=True):
        net = Network(name, kept)
        for k, link in enumerate(LINKS):
            how = style(k) | {"linestyle": "-"}
            grown = [net.rate(n, link, n * EACH[name]) for n in NODES]
            line(axes, NODES, grown, label=f"{link}, {EACH[name]} images each", **how)
            nodes = [n for n in range(1, 65) if BATCH[name] % n == 0]
            same = [net.rate(n, link, BATCH[name], name == "binarynet") for n in nodes]
            how |= {"linestyle": "--", "label": f"{link}, {BATCH[name]} in all"}
            line(axes, nodes, same, **how)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(NODES, [str(n) for n in NODES])
        label(axes, f"{TITLES[name]}, model", "images/s", x="nodes")
        axes.legend(frameon=False, fontsize="small")
    save(figure, path)


def keep(paths, stopped):
    """Take over reports into scaling.json; what they do not have stays.

    ``stopped`` says that other work was halted while they were made, which the load average,
    a mean over minutes, does not.
    """
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {"networks": {}}
    for path in paths:
        take(json.loads(Path(path).read_text("utf-8")), kept)
    kept["machine"]["stopped"] = stopped
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def take(report, kept):
    """Put what is needed of a report into ``kept``; SystemExit if it is none that is known."""
    if "cases" in report:
        kept["machine"] = report["machine"]
        for case in report["cases"]:
            ours = next((r for r in case["rows"] if r["peer"] == "minibnn"), None)
            if ours is None:
                continue
            network = case["network"]
            entry = kept["networks"].setdefault(network, counts(network) | {"points": []})
            point = {
                "batch": case["batch"],
                "threads": case["threads"],
                "seconds": case["batch"] / ours["training"]["images_per_s"],
                "peak_bytes": ours["peak_bytes"],
            }
            others = [p for p in entry["points"] if p["batch"] != case["batch"]]
            entry["points"] = sorted([*others, point], key=lambda p: p["batch"])
    elif "buffer_bytes" in report:
        exchange = np.median([one["exchange_seconds"] for one in report["batches"]])
        per_byte = float(exchange) / report["buffer_bytes"]
        kept["ranks"] = report | {"seconds_per_byte": per_byte}
    elif "loader" in report:
        trained = report["trained"]
        kept["loader"] = {"cores": report["cores"], "batch": report["batch"], **trained}
    elif "exchange" in report:
        found = {one["ranks"]: one for one in [*kept.get("exchange", []), *report["exchange"]]}
        kept["exchange"] = [found[ranks] for ranks in sorted(found)]
    else:
        sys.exit("scaling.py: a report of run.py, ranks.py, loader.py or exchange.py was expected")


def counts(name):
    """Numbers of a network of the zoo, as published."""
    from minibnn import nn, zoo

    net = zoo.MODELS[name]()
    sizes = {True: 0, False: 0}
    for p in net.parameters():
        sizes[p.binary] += p.size
    norms = [layer for layer in net.chain.walk() if isinstance(layer, nn.BatchNorm)]
    return {
        "binary": sizes[True],
        "real": sizes[False],
        "norms": sum(len(layer.moving_mean) for layer in norms),
        "norm_layers": len(norms),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    jobs = parser.add_subparsers(dest="job", required=True)
    keeping = jobs.add_parser("keep")
    keeping.add_argument("--stopped", action="store_true", help="other work was halted meanwhile")
    keeping.add_argument("reports", nargs="+", metavar="REPORT.json")
    jobs.add_parser("draw")
    asked = parser.parse_args()
    if asked.job == "keep":
        return keep(asked.reports, asked.stopped)
    kept = json.loads(KEPT.read_text("utf-8"))
    PAGE.write_text(page(kept), "utf-8")
    draw(kept, FIGURE)


if __name__ == "__main__":
    main()
