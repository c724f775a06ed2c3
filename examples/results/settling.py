"""Weights that never settle, statistics that do: Bop at a fixed and at a falling gamma.

"Neural Network Weights Do Not Converge to Stationary Points: An Invariant Measure Perspective"
(Zhang, Li, Sra, Jadbabaie; arXiv 2110.06256) finds of real weights that training loss and gradient
norms become stationary while the weights go on moving. Here it is asked of signs: two copies of
BinaryNet at a sixteenth of its width see the same batches, and after each epoch the script notes
the norm of the gradient, the inertia against the threshold, and the signs.

    python examples/results/settling.py run --data-dir FOLDER   ends in kept/settling.npz
    python examples/results/settling.py draw                    settling.png and its table, of that
"""

import argparse
from pathlib import Path

import numpy as np

import minibnn as bnn
from minibnn.nn.losses import softmax_cross_entropy
from minibnn.training.plots import style
from minibnn.training.telemetry import EDGES, histogram

HERE = Path(__file__).resolve().parent
KEPT, RUN = HERE / "kept" / "settling.npz", Path("runs/results/settling")
GAMMAS = {"fixed": "1e-3", "falling": "cosine:1e-3:1e-5"}
EPOCHS, THRESHOLD, WIDTH, MEASURED = 20, 1e-6, 0.0625, 5000
LATE = (10, 15, 20)  # epochs whose inertia is drawn


def run(data_dir):
    """Train both, in lockstep; the same command goes on with an interrupted run."""
    data = bnn.data.load("cifar10", data_dir)
    net, optimizer = bnn.zoo.RECIPES["cifar10-quick"].build(width=WIDTH)
    optimizers = {
        name: bnn.optim.Split(bnn.optim.Bop(gamma, THRESHOLD), optimizer.real)
        for name, gamma in GAMMAS.items()
    }
    result = bnn.lockstep(
        net, optimizers, data, epochs=EPOCHS, batch_size=100, augment="paper", seed=0, out=RUN,
        callbacks=lambda run, row: note(run, row, data), resume=(RUN / "fixed").exists(),
    )  # fmt: skip
    KEPT.parent.mkdir(exist_ok=True)
    kept = {}
    for name, history in result.histories.items():
        noted = [np.load(RUN / f"{name}-{epoch}.npz") for epoch in range(1, EPOCHS + 1)]
        signs = [one["signs"] for one in noted]
        kept |= {
            f"{name}:{column}": np.array(history[column])
            for column in ("train_loss", "train_accuracy", "test_accuracy", "flips")
        }
        kept |= {
            f"{name}:{key}": np.array([one[key] for one in noted])
            for key in ("batch_norm", "mean_norm", "inertia")
        }
        kept[f"{name}:agreement"] = np.array([[agree(a, b) for b in signs] for a in signs])
    np.savez_compressed(KEPT, **kept)


def agree(a, b):
    """Share of equal signs of two packed sets."""
    return 1 - np.bitwise_count(a ^ b).sum() / (8 * a.size)


def note(run, row, data):
    """Keep what an epoch left: signs, inertia, and the gradient at the first training images."""
    net = run.net.copy()  # whose moving statistics may move
    binary = [p for p in net.parameters() if p.binary]
    norms, total = [], 0
    for start in range(0, MEASURED, 100):
        part = slice(start, start + 100)
        logits = net.forward(data.train_images[part], training=True)
        net.backward(softmax_cross_entropy(logits, data.train_labels[part])[1])
        gradient = np.concatenate([np.asarray(p.grad, np.float64).ravel() for p in binary])
        norms.append(np.linalg.norm(gradient))
        total = total + gradient
    own = [p for p in run.net.parameters() if p.binary]
    np.savez(
        RUN / f"{run.name}-{row['epoch']}.npz",
        signs=np.packbits(np.concatenate([p.value.ravel() > 0 for p in own])),
        inertia=sum(histogram(run.optimizer.inertia(p))[-1] for p in own),
        batch_norm=np.mean(norms),
        mean_norm=np.linalg.norm(total) / len(norms),
    )


def draw():
    """The figure, and a table on the terminal."""
    kept, epochs = np.load(KEPT), np.arange(1, EPOCHS + 1)
    figure = style.new_figure(10, 6.5)
    (loss, flips), (inertia, agreement) = figure.subplots(2, 2)
    for k, name in enumerate(GAMMAS):
        look = style.style(k) | {"markersize": 3}
        loss.plot(epochs, kept[f"{name}:train_loss"], label=f"loss, {name}", **look)
        norm = kept[f"{name}:batch_norm"]
        loss.plot(epochs, norm / norm[0], label=f"norm, {name}", alpha=0.5, **look)
        flips.semilogy(epochs, np.maximum(kept[f"{name}:flips"], 1), label=name, **look)
        first = LATE[0] - 1
        agreement.plot(epochs, 100 * kept[f"{name}:agreement"][first], label=name, **look)
        for epoch, dash in zip(LATE, ("-", "--", ":"), strict=True):
            counts = kept[f"{name}:inertia"][epoch - 1]
            share = 100 * counts / counts.sum()
            inertia.stairs(share[1:-1], EDGES[1:-1], color=look["color"], linestyle=dash)
    loss.set(
        xlabel="epoch", title="training loss; gradient norm / that of epoch 1", ylim=(0.9, 2.1)
    )
    flips.set(xlabel="epoch", title="flips in the epoch")
    inertia.set(
        xscale="log", xlim=(1e-4, 1e4), xlabel="|m| / threshold",
        title=f"% of the weights, after epochs {', '.join(map(str, LATE))} (-, --, :)",
    )  # fmt: skip
    agreement.set(xlabel="epoch", title=f"% of the signs that are those of epoch {LATE[0]}")
    for axes in (loss, flips, agreement):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", ncols=2)
    style.save(figure, HERE / "settling.png")
    columns = ("train_loss", "test_accuracy", "flips", "batch_norm", "mean_norm")
    print("gamma, epoch:", ", ".join(columns), f"; signs of epoch {LATE[0]}")
    for name in GAMMAS:
        for epoch in LATE:
            cells = [f"{kept[f'{name}:{column}'][epoch - 1]:.5g}" for column in columns]
            print(name, epoch, *cells, f"{kept[f'{name}:agreement'][LATE[0] - 1, epoch - 1]:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("run", "draw"))
    parser.add_argument("--data-dir", metavar="FOLDER", help="where the files of CIFAR-10 are")
    asked = parser.parse_args()
    run(asked.data_dir) if asked.task == "run" else draw()


if __name__ == "__main__":
    main()
