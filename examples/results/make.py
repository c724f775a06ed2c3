"""The runs behind this folder: start or go on with them, keep their figures, draw them.

    python examples/results/make.py run [NAME ...] [--data-dir FOLDER]   hours, in runs/results
    python examples/results/make.py keep                                 their small files, here
    python examples/results/make.py draw                                 table and figures of those

Ctrl-C stops a run, the same command goes on with it. ``draw`` needs nothing but this folder.
"""

import argparse
import csv
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUNS, KEPT = Path("runs/results"), HERE / "kept"
NARROW = "--width 0.25 --batch-size 100 --seed 0"
WIDTHS = ("int2", "int3", "int4", "int5", "int6", "int8", "float32")  # of gradients
BITS = f"--seeds 0,1 --grid gradients={','.join(reversed(WIDTHS))}"
SHORT = {  # of the same length, to be compared
    "bop": "sweep --recipe cifar10-quick --width 0.125 --epochs 4",
    "latent-sgd": "sweep --recipe cifar10-quick-latent --width 0.125 --epochs 4",
}
BEST = {  # of the schedules that were tried
    "bop": "--grid threshold=1e-7 --grid gamma=cosine:3e-3:1e-5",
    "latent-sgd": "--grid momentum=0.9 --grid lr=cosine:10:0",
}
CUTOUT = "train --recipe cifar10-hour --epochs 56 --bn-momentum 0.99 --cutout --seed 0"
AGAIN = f"{CUTOUT} && train --resume --epochs 104 --gradients"
SLOWLY = "--set gamma=poly:3.3e-4:3e-6:1.5 --set real.lr=poly:3.3e-3:1e-4:1.5"
COMMANDS = {
    "bop": f"compare --recipe bop-sec51 --recipe bop-sec52 {NARROW} --epochs 30",
    "latent": f"compare --recipe latent-adam --recipe latent-sgd {NARROW} --epochs 30",
    "scans": f"sweep --recipe bop-sec51 {NARROW} --epochs 10 "
    "--scan gamma=1e-2,1e-3,1e-4 --scan threshold=0,1e-6,1e-5",
    "full": "train --recipe bop-sec52 --epochs 15 --seed 0",
    "quick": "train --recipe cifar10-quick --seed 0",
    "quick-1": "train --recipe cifar10-quick --seed 1",
    "quick-latent": "train --recipe cifar10-quick-latent --seed 0",
    "hour": "train --recipe cifar10-hour --seed 0",
    "hour-latent": "train --recipe cifar10-hour-latent --seed 0",
    "longer": "train --recipe cifar10-hour --epochs 64 --bn-momentum 0.97 --seed 0",
    "cutout": CUTOUT,
    "packaged": f"{AGAIN} int10 {SLOWLY}",
    "centred": f"{AGAIN} int8-centred {SLOWLY}",
    "bits-bop": f"{SHORT['bop']} {BITS}",
    "bits-latent-sgd": f"{SHORT['latent-sgd']} {BITS}",
    "schedules-bop": f"{SHORT['bop']} --seeds 0 --grid threshold=1e-8,1e-7 "
    "--grid gamma=cosine:3e-3:1e-5,cosine:1e-3:1e-5,cosine:3e-4:1e-5",
    "schedules-latent-sgd": f"{SHORT['latent-sgd']} --seeds 0 --grid momentum=0.9,0 "
    "--grid lr=cosine:10:0,cosine:3:0,cosine:1:0",
    "faster-bop": f"{SHORT['bop']} --seeds 0 --grid threshold=1e-7 --grid gamma=cosine:1e-2:1e-5",
    "faster-latent-sgd": f"{SHORT['latent-sgd']} --seeds 0 --grid momentum=0.9 "
    "--grid lr=cosine:30:0",
    **{f"best-{name}": f"{SHORT[name]} --seeds 1,2,3 {best}" for name, best in BEST.items()},
}
LONG = {  # runs of the same length on the same batches, by their name in the figures
    "bop-sec51": "bop/bop-sec51",
    "bop-sec52": "bop/bop-sec52",
    "latent-adam": "latent/latent-adam",
    "latent-sgd": "latent/latent-sgd",
}
REPORTED = {  # by the paper, at full width after 500 epochs
    "bop/bop-sec52": "91.3 %",
    "latent/latent-adam": "90.9 %",
    "full": "91.3 %",
}
IMAGES, GOALS = 50_000, (0.75, 0.8, 0.85)  # of an epoch; test accuracies
SMALL = ("config.json", "metrics.csv", "telemetry.npz", "sweep.json", "summary.csv")
BEGIN, END = "<!-- make.py draw: begin -->", "<!-- make.py draw: end -->"


def run(names, data_dir):
    """Start each run, or go on with it; a finished one says so."""
    for name in names:
        out = RUNS / name
        for words in map(shlex.split, COMMANDS[name].split(" && ")):
            begun = any((out / file).exists() for file in ("config.json", "sweep.json"))
            if begun and "--resume" not in words:
                words = [words[0], "--resume"]  # its folder knows the rest
            command = [sys.executable, "-m", "minibnn", *words, "--out", str(out)]
            command += ["--data-dir", data_dir] if data_dir else []
            print(f"{name}: {shlex.join(command)}", flush=True)
            if code := subprocess.call(command):
                return code
    return 0


def keep():
    """Copy what is small of every run, and note the machine."""
    for name in COMMANDS:
        for file in sorted(p for p in (RUNS / name).rglob("*") if p.name in SMALL):
            target = KEPT / file.relative_to(RUNS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    (KEPT / "machine.json").write_text(json.dumps(machine(), indent=2) + "\n", "utf-8")
    return 0


def machine():
    cpu, cpuinfo = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    system = f"{platform.system()} {platform.machine()}"
    return {"cpu": cpu, "cores": os.cpu_count(), "system": system}


def draw():
    """The figures, and the table in README.md, from what ``keep`` kept."""
    from minibnn.training.sweep.plots import draw_sweep
    from minibnn.training.sweep.table import read_summary

    plot("long.png", [KEPT / folder for folder in LONG.values()])
    plot("full.png", [KEPT / "full"])
    scans = KEPT / "scans"
    description = json.loads((scans / "sweep.json").read_text("utf-8"))
    draw_sweep(scans, description, read_summary(scans / "summary.csv"))
    (scans / "curves.png").replace(HERE / "scans.png")
    plot("quick.png", [KEPT / "quick", KEPT / "quick-latent"])
    plot("hour.png", [KEPT / "hour", KEPT / "hour-latent"])
    plot("packaged.png", [KEPT / "packaged", KEPT / "centred"])
    draw_bits()
    draw_minutes()
    subprocess.run([sys.executable, HERE / "settling.py", "draw"], check=True)
    readme = HERE / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", "utf-8")
    return 0


def plot(name, folders):
    command = [sys.executable, "-m", "minibnn", "plot", *map(str, folders)]
    subprocess.run([*command, "--out", str(HERE / name)], check=True)


def done(sweep, *names):
    """{values of a kept sweep's cell under ``names``: last test accuracies of its seeds}."""
    from minibnn.training.sweep.table import read_summary

    found, summary = {}, KEPT / sweep / "summary.csv"
    for cell in read_summary(summary) if summary.exists() else ():
        if cell["status"] == "done":
            setting = tuple(str(cell[name]) for name in names)
            found.setdefault(setting, []).append(cell["last_accuracy"])
    return found


def by_width():
    """{optimizer: {width of gradients: test accuracies of the seeds}}, of what is kept."""
    found = {optimizer: done(f"bits-{optimizer}", "gradients") for optimizer in SHORT}
    return {
        optimizer: {width: accuracies for (width,), accuracies in own.items()}
        for optimizer, own in found.items()
        if own
    }


def schedules_table():
    """What each schedule came to, and the best of each optimizer with other seeds, in Markdown."""
    lines = ["| schedule, 4 epochs | test accuracy |", "| --- | ---: |"]
    for optimizer, names in ("bop", ("gamma", "threshold")), ("latent-sgd", ("lr", "momentum")):
        tried = done(f"schedules-{optimizer}", *names) | done(f"faster-{optimizer}", *names)
        for setting, found in sorted(tried.items(), key=lambda pair: pair[1], reverse=True):
            words = ",".join(f"{name}={value}" for name, value in zip(names, setting, strict=True))
            lines.append(f"| {optimizer}:{words} | {percent(*found)} |")
    for optimizer in SHORT:
        found = done(f"best-{optimizer}")[()]  # by no names: all seeds
        words = ", ".join(map(percent, found))
        about = f"mean {percent(statistics.mean(found))}, spread {percent(statistics.stdev(found))}"
        lines.append(f"| the best of {optimizer}, seeds 1, 2, 3 | {words}: {about} |")
    return lines


def draw_bits():
    """Accuracy against the width of gradients: a mark per seed, lines through the means."""
    from minibnn.training.plots import style

    figure = style.new_figure(6, 3.5)
    axes = figure.subplots()
    for k, (optimizer, found) in enumerate(by_width().items()):
        look, ran = style.style(k), [width for width in WIDTHS if width in found]
        means = [100 * statistics.mean(found[width]) for width in ran]
        axes.plot([WIDTHS.index(w) for w in ran], means, label=optimizer, **look | {"marker": ""})
        for width in ran:
            marks = [100 * accuracy for accuracy in found[width]]
            axes.plot([WIDTHS.index(width)] * len(marks), marks, **look | {"linestyle": ""})
    axes.set_xticks(range(len(WIDTHS)), WIDTHS)
    axes.set_xlabel("gradients through binary layers")
    axes.set_ylabel("test accuracy in %")
    axes.grid(alpha=0.3)
    axes.legend()
    style.save(figure, HERE / "bits.png")


def bits_table():
    """The accuracies behind that figure, in Markdown."""
    found = by_width()
    lines = [f"| gradients | {' | '.join(found)} |", "| --- |" + " --- |" * len(found)]
    for width in reversed(WIDTHS):
        cells = (", ".join(map(percent, own.get(width, []))) or "-" for own in found.values())
        lines.append(f"| {width} | {' | '.join(cells)} |")
    return lines


def rounding_table():
    """What ``rounding.py`` measured, in Markdown."""
    with open(KEPT / "rounding.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    lines = [f"| {' | '.join(header)} |", "| --- |" + " ---: |" * (len(header) - 1)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def course(run):
    """Test accuracies of a run, epoch by epoch."""
    with open(KEPT / run / "metrics.csv", newline="", encoding="utf-8") as file:
        return [float(epoch["test_accuracy"]) for epoch in csv.DictReader(file)]


def rates():
    """Measured training images/s of each framework, of ``examples/benchmarks/run.py``."""
    return json.loads((KEPT / "rates.json").read_text("utf-8"))


def minutes_to(goal, rate):
    """Minutes of training until ``quick``, or else ``hour``, is that good; None if neither is."""
    for run in "quick", "hour":
        for epoch, accuracy in enumerate(course(run), 1):
            if accuracy >= goal:
                return epoch * IMAGES / rate / 60


def minutes_table():
    """Time to accuracy, in Markdown."""
    about = rates()
    lines = [f"{about['machine']}, training alone.", ""]
    lines.append("| | images/s |" + "".join(f" to {100 * goal:.0f} % |" for goal in GOALS))
    lines.append("| --- | ---: |" + " ---: |" * len(GOALS))
    for name, rate in about["images_per_s"].items():
        cells = [minutes_to(goal, rate) for goal in GOALS]
        words = (f"{m:.0f} min" if m else "not reached" for m in cells)
        lines.append(f"| {name} | {rate:.0f} | {' | '.join(words)} |")
    return lines


def draw_minutes():
    """Test accuracy of ``quick`` against minutes, at every framework's rate."""
    from minibnn.training.plots import style

    figure = style.new_figure(6, 3.5)
    axes, accuracy = figure.subplots(), [100 * x for x in course("quick")]
    for k, (name, rate) in enumerate(rates()["images_per_s"].items()):
        minutes = [epoch * IMAGES / rate / 60 for epoch in range(1, len(accuracy) + 1)]
        axes.plot(minutes, accuracy, label=name, **style.style(k))
    axes.set_xlabel("minutes of training on two cores")
    axes.set_ylabel("test accuracy in %")
    axes.grid(alpha=0.3)
    axes.legend()
    style.save(figure, HERE / "minutes.png")


def table():
    """Every run with its figures, in Markdown."""
    about = json.loads((KEPT / "machine.json").read_text("utf-8"))
    lines = [
        f"{about['cpu']}, {about['cores']} cores, {about['system']} (`quick`, `quick-1` "
        "and `hour`: a Xeon, see below). Accuracy on the test images in %.",
        "",
        "| run | width | batch | epochs | last | best (epoch) | last training | wall time "
        "| paper, 500 epochs at width 1 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    cells = sorted(p.parent.relative_to(KEPT).as_posix() for p in KEPT.glob("scans/*/metrics.csv"))
    for folder in (
        "quick",
        "quick-1",
        "quick-latent",
        "hour",
        "hour-latent",
        "longer",
        "cutout",
        "packaged",
        "centred",
        *LONG.values(),
        *cells,
        "full",
    ):
        if (KEPT / folder / "metrics.csv").exists():
            lines.append(f"| {' | '.join(row(folder))} |")
    lines += [
        "",
        "Time to accuracy, by the epochs of `quick` or else of `hour`:",
        "",
        *minutes_table(),
    ]
    lines += ["", "Width of gradients, each seed's test accuracy:", "", *bits_table()]
    words = "The mean gradient at the end of `cutout`, by one batch's, and what rounding adds:"
    lines += ["", words, "", *rounding_table()]
    lines += ["", "Schedules, tried and repeated:", "", *schedules_table()]
    lines.append("")
    for name, command in COMMANDS.items():
        text = command.replace("&& ", "&& minibnn ")
        lines.append(f"- `{name}`: `minibnn {text}`")
    return "\n".join(lines)


def row(folder):
    config = json.loads((KEPT / folder / "config.json").read_text("utf-8"))
    with open(KEPT / folder / "metrics.csv", newline="", encoding="utf-8") as file:
        epochs = list(csv.DictReader(file))
    last, best = epochs[-1], max(epochs, key=lambda e: float(e["test_accuracy"]))
    filters = config["network"]["layers"][0]["filters"]
    minutes = sum(float(e["seconds"]) for e in epochs) / 60
    done = (
        last["epoch"]
        if int(last["epoch"]) == config["epochs"]
        else (f"{last['epoch']} of {config['epochs']}")
    )
    return (
        f"`{folder}`", f"{filters / 128:g}", f"{config['batch_size']}", done,
        percent(last["test_accuracy"]),
        f"{percent(best['test_accuracy'])} ({best['epoch']})",
        percent(last["train_accuracy"]), f"{minutes:.0f} min", REPORTED.get(folder, ""),
    )  # fmt: skip


def percent(share):
    return f"{100 * float(share):.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("run", "keep", "draw"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COMMANDS)}")
    parser.add_argument("--data-dir", metavar="FOLDER", help="where the files of CIFAR-10 are")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in COMMANDS]:
        parser.error(f"NAME is one of {', '.join(COMMANDS)}, found {unknown[0]}")
    if asked.task == "run":
        return run(asked.names or COMMANDS, asked.data_dir)
    return {"keep": keep, "draw": draw}[asked.task]()


if __name__ == "__main__":
    sys.exit(main())
