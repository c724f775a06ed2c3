"""How good is this optimizer? Networks of 18 weights, all of them enumerated (E36).

    sign(sum_k v_k sign(w_k x)), 5 inputs, 3 hidden units: 262,144 networks in 5,984 classes

For some random tasks the best of all networks is known, so the errors of a trained one above it are
what the optimizer left. Prints a table over tasks and starts, and draws the shares.

    python examples/14_tiny_networks.py --out tiny.png --tasks 20 --seeds 20
"""

import argparse

import numpy as np

from minibnn.equivalences.tiny import gaps
from minibnn.tables import Table
from minibnn.training.plots.style import COLOURS, new_figure, save


def main(out="tiny_networks.png", tasks=12, seeds=10, steps=300):
    found, optima = gaps(tasks, seeds, steps=steps)
    rows = []
    for name, gap in found.items():
        best = gap.min(1)  # of all starts
        shares = f"{np.mean(gap == 0):.0%}", f"{np.mean(best == 0):.0%}"
        rows.append([name, f"{gap.mean():.2f}", *shares, str(gap.max())])
    head = ["optimizer", "errors above the best", "runs at the best", "tasks solved", "worst run"]
    print(f"{tasks} tasks of 24 random labels; the best of all networks makes {optima} errors\n")
    print(Table(head, rows))
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    most = max(gap.max() for gap in found.values())
    for k, (name, gap) in enumerate(found.items()):
        counts = np.bincount(gap.reshape(-1), minlength=most + 1) / gap.size
        place = np.arange(most + 1) + 0.27 * (k - 1)
        axes.bar(place, 100 * counts, 0.25, color=COLOURS[k], label=name)
    axes.set(xlabel="errors above the best of all networks", ylabel="runs (%)")
    axes.set_title(f"{tasks} tasks, {seeds} starts each")
    axes.legend(frameon=False)
    save(figure, out)
    print(f"\nfigure: {out}")
    return found, optima


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="tiny_networks.png", help="figure to write")
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=10, help="starts for each task")
    parser.add_argument("--steps", type=int, default=300)
    main(**vars(parser.parse_args()))
