"""Time minibnn and other frameworks at the same training step, in turns, in one go.

Each framework lives in a process of its own, perhaps of another virtual environment, and keeps its
network. They are asked one after another for a few steps, again and again (A B C A B C ...), so
that whatever slows the machine down slows all of them. Needs Python only.

    python run.py --torch-python ../torch/bin/python --larq-python ../larq/bin/python --markdown
    python run.py --torch-python ../torch/bin/python --network birealnet --jobs train
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
OURS, INT8, PACKED = "minibnn", "minibnn-int8", "minibnn-packed"
PEERS = {  # name: script, which environment
    OURS: ("minibnn_bop.py", "ours"),
    INT8: ("minibnn_int8.py", "ours"),
    PACKED: ("minibnn_packed.py", "ours"),
    "larq": ("larq_bop.py", "larq"),
    "larq-compute-engine": ("lce_packed.py", "larq"),
    "tensorflow": ("tensorflow_fp32.py", "larq"),
    "pytorch-fp32": ("pytorch_fp32.py", "torch"),
    "pytorch-bf16": ("pytorch_bf16.py", "torch"),
}
NETWORKS = {  # name: title, filters and batch if none are given, peers that know it (all)
    "binarynet": ("BinaryNet", "128:50", PEERS),
    "binary_alexnet": ("Binary AlexNet", "64:16", (OURS, INT8, "pytorch-fp32", "pytorch-bf16")),
    "xnornet": ("XNOR-Net", "96:16", (OURS, INT8, "pytorch-fp32", "pytorch-bf16")),
    "birealnet": ("Bi-Real Net", "64:16", (OURS, INT8, "pytorch-fp32", "pytorch-bf16")),
}
JOBS = {"train": "training", "infer": "inference"}


class PeerError(Exception):
    """A peer's process ended; the message has the last line it wrote."""


class Worker:
    """A peer's process, ready and warm.

    Attributes
    ----------
    ready : dict
        losses and flips of its first steps, versions, and ready_seconds: of making the network
        and of those steps, compiling included.
    """

    def __init__(self, name, python, filters, batch_size, threads, network):
        self.name = name
        script = HERE / PEERS[name][0]
        sizes = {"filters": filters, "batch-size": batch_size, "threads": threads}
        if network != "binarynet":  # which some peers have no option for
            sizes["network"] = network
        options = [f"--{key}={value}" for key, value in sizes.items()]
        limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        self.said = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill up
        try:
            self.process = subprocess.Popen(
                [str(python), str(script), "--worker", *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.said,
                text=True,
                env=os.environ | limits | {"PYTHONWARNINGS": "ignore"},
            )
        except OSError as error:
            self.said.close()
            raise PeerError(f"{name} cannot start: {python}: {error.strerror}") from None

    def wait(self):
        """Until it has made its first steps, which may compile."""
        self.ready = self._answer()

    def ask(self, **order):
        """Its answer to an order, a dict."""
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.said.seek(0)
        said = self.said.read().strip().splitlines() or ["no word"]
        raise PeerError(f"{self.name} ended: {said[-1]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the process; twice does no harm."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.said.close()


def compare(
    pythons, filters, batch_size, threads, rounds=5, steps=4, pause=0.3, say=print,
    network="binarynet", jobs=tuple(JOBS),
):  # fmt: skip
    """Measure peers in turns.

    Parameters
    ----------
    pythons : dict
        Name of a peer -> the interpreter to run it with.
    filters, batch_size, threads : int
    rounds, steps : int
        Turns of each peer, and timed steps of a turn.
    pause : float
        Seconds between turns, for the threads of the last one to fall asleep.
    say : callable
        Told what is going on, in words.
    network : str
        One of ``NETWORKS``.
    jobs : sequence of "train" and "infer"

    Returns
    -------
    dict with a row per peer; one that cannot run has "skipped" with the reason. PeerError if
    they do not train the same number of parameters.
    """
    rows, workers = {}, {}
    with ExitStack() as stack:
        for name, python in pythons.items():
            say(f"starting {name}")
            try:
                worker = _start(stack, name, python, filters, batch_size, threads, network)
            except PeerError as error:
                rows[name] = {"peer": name, "skipped": str(error)}
            else:
                workers[name] = worker
                rows[name] = {"peer": name, **worker.ready}
        check_counts(rows)
        for job in jobs:
            field = JOBS[job]
            seconds = {name: [] for name in workers if job in rows[name]["jobs"]}
            for turn in range(rounds):
                say(f"{field}, turn {turn + 1} of {rounds}")
                for name, timings in seconds.items():
                    time.sleep(pause)
                    timings.append(workers[name].ask(do=job, steps=steps)["seconds"])
            ours = {"minibnn": seconds.get(PACKED, seconds.get(OURS)), "int8": seconds.get(INT8)}
            for name, timings in seconds.items():
                rows[name][field] = _summary(timings, ours, batch_size)
                if job == "train":  # before inference allocates anything
                    rows[name]["peak_bytes"] = workers[name].ask(do="memory")["peak_bytes"]
    return {
        "network": network,
        "filters": filters,
        "batch": batch_size,
        "threads": threads,
        "rounds": rounds,
        "steps": steps,
        "rows": list(rows.values()),
    }


def _start(stack, *what):
    """A Worker that is ready; after one that compiled another, whose memory does not show it."""
    worker = stack.enter_context(Worker(*what))
    worker.wait()
    if not worker.ready["compiled"]:
        return worker
    worker.close()
    again = stack.enter_context(Worker(*what))
    again.wait()
    again.ready["compiling_seconds"] = worker.ready["ready_seconds"]
    return again


def check_counts(rows):
    """PeerError unless all peers that say so train as many numbers and give as many logits."""
    counts = {name: row["counts"] for name, row in rows.items() if row.get("counts")}
    if len({(one["trained"], one["logits"]) for one in counts.values()}) > 1:
        raise PeerError(f"the networks are not the same: {counts}")


def _summary(turns, ours, batch_size):
    """Images per second: the median of all steps, and that of the slowest and fastest turn."""
    medians = [median(turn) for turn in turns]
    rate = batch_size / median(s for turn in turns for s in turn)
    out = {
        "images_per_s": rate,
        "low": batch_size / max(medians),
        "high": batch_size / min(medians),
    }
    for name, own in ours.items():
        if own:  # of each round, then the middle one: both saw the same machine
            times = (m / median(o) for m, o in zip(medians, own, strict=True))
            out[f"{name}_times"] = median(times)
    return out


def machine():
    """CPU, cores, system and load."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": load,
    }


def text(report, markdown=False):
    """The report as tables, plain or in Markdown."""
    about = report["machine"]
    load = about["load_average"]
    lines = [f"{about['cpu']}, {about['cores']} cores, {about['system']}."]
    if load is not None:
        lines[0] += f" Load average at the start: {load:.2f}."
    lines.append(f"{versions(report)}.")
    for case in report["cases"]:
        title = NETWORKS[case["network"]][0]
        what = f"{title}, filters {case['filters']}, batch {case['batch']}"
        count = case["threads"]
        what += f", {count} thread{'s' if count > 1 else ''}; medians of {case['rounds']} turns "
        what += f"of {case['steps']} steps (slowest to fastest turn); times: minibnn's speed "
        what += "(its packed one's, if measured) over the other's; int8 times: minibnn-int8's."
        lines += ["", what, ""]
        head = ["", "training, images/s", "times", "int8 times"]
        head += ["inference, images/s", "times", "peak memory"]
        rows = [_cells(row) for row in case["rows"] if "skipped" not in row]
        lines += _markdown(head, rows) if markdown else _plain(head, rows)
        lines += [f"{r['peer']}: left out, {r['skipped']}" for r in case["rows"] if "skipped" in r]
        losses = (
            f"{r['peer']} {', '.join(f'{x:.4f}' for x in r['losses'])}"
            for r in case["rows"]
            if "skipped" not in r
        )
        lines += ["", f"Losses of the first steps: {'; '.join(losses)}."]
        ready = [_ready(row) for row in case["rows"] if "skipped" not in row]
        lines += [f"Seconds until those were made, not counted above: {'; '.join(ready)}."]
    return "\n".join(lines)


def _ready(row):
    words = f"{row['peer']} {row['ready_seconds']:.0f}"
    first = row.get("compiling_seconds")
    return words if first is None else f"{words} ({first:.0f} when it compiled)"


def versions(report):
    """Every version once, in words."""
    found = {}
    for case in report["cases"]:
        for row in case["rows"]:
            found |= row.get("versions", {})
    return ", ".join(f"{name} {number}" for name, number in found.items())


def _cells(row):
    cells = [row["peer"]]
    for field, ours in (("training", ("minibnn", "int8")), ("inference", ("minibnn",))):
        one = row.get(field, {})
        cells.append("{images_per_s:.4g} ({low:.4g} to {high:.4g})".format(**one) if one else "")
        for name in ours:
            times = one.get(f"{name}_times", 1)
            cells.append("" if times == 1 else f"{times:.2f}")
    return [*cells, f"{row['peak_bytes'] / 1e6:.0f} MB" if "peak_bytes" in row else ""]


def _markdown(head, rows):
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def _plain(head, rows):
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]


def _say(about, words):
    print(f"{about}: {words}", file=sys.stderr, flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter that has minibnn")
    parser.add_argument("--torch-python", metavar="PATH", help="interpreter that has PyTorch")
    parser.add_argument("--larq-python", metavar="PATH", help="interpreter that has Larq")
    parser.add_argument(
        "--peers", nargs="+", choices=PEERS, metavar="NAME",
        help=f"of {', '.join(PEERS)}; default: all whose interpreter is given",
    )  # fmt: skip
    parser.add_argument(
        "--network", nargs="+", choices=NETWORKS, default=["binarynet"], metavar="NAME",
        help=f"of {', '.join(NETWORKS)}; default: binarynet",
    )  # fmt: skip
    parser.add_argument(
        "--cases", nargs="+", metavar="FILTERS:BATCH",
        help=":BATCH takes the published filters; default: 128:50, of ImageNet's networks :16",
    )  # fmt: skip
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=[*JOBS], help="default: both")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each")
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="timed steps of a turn")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON only")
    shown.add_argument("--markdown", action="store_true", help="print tables for a README")
    asked = parser.parse_args(arguments)
    where = {"ours": asked.python, "larq": asked.larq_python, "torch": asked.torch_python}
    jobs = []
    for network in asked.network:
        _, usual, able = NETWORKS[network]
        names = asked.peers or [p for p, (_, room) in PEERS.items() if where[room] and p in able]
        for name in names:
            if name not in able:
                parser.error(f"{name} knows binarynet only, not {network}")
            if not where[PEERS[name][1]]:
                parser.error(f"{name} needs --{PEERS[name][1]}-python")
        pythons = {name: where[PEERS[name][1]] for name in names}
        for case in asked.cases or [usual]:
            filters, _, batch_size = case.partition(":")
            try:
                filters, batch_size = int(filters or usual.split(":")[0]), int(batch_size)
            except ValueError:
                parser.error(f"--cases takes FILTERS:BATCH such as 128:50, found {case}")
            jobs.append((pythons, filters, batch_size, network))
    report = {"machine": machine(), "cases": []}
    for pythons, filters, batch_size, network in jobs:
        report["cases"].append(
            compare(
                pythons,
                filters,
                batch_size,
                asked.threads,
                asked.rounds,
                asked.steps,
                say=partial(_say, f"{network}, filters {filters}, batch {batch_size}"),
                network=network,
                jobs=asked.jobs,
            )
        )
    print(json.dumps(report, indent=2) if asked.json else text(report, asked.markdown))


if __name__ == "__main__":
    main()
