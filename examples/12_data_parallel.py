"""Data parallel: several MPI ranks train one network, each on its piece of every batch (Eq. 5).

The gradients are averaged before Bop sees them, so every rank makes the same flips. Rank 0 then
trains alone on the same batches: with the statistics of batch normalisation taken over all ranks
(sync) the two differ by rounding, without by what smaller batches say. Draws how many weights
agree, epoch by epoch. Needs the extra: pip install "minibnn[mpi]".

    mpiexec -n 2 python examples/12_data_parallel.py
    mpiexec -n 2 python examples/12_data_parallel.py --dataset cifar10 --data-dir FOLDER --epochs 1
"""

import argparse
import zlib

import numpy as np

import minibnn as bnn
from minibnn.tables import Table
from minibnn.training import Ranks
from minibnn.training.plots.style import label, line, new_figure, save, style


def train(data, epochs, **how):
    """(bits after every epoch, last test accuracy); the same seed throughout."""
    net = bnn.zoo.digits_net(data.input_shape, filters=16, dense_units=64, seed=0)
    bop = bnn.optim.Bop(gamma=1e-3, threshold=1e-6)
    optimizer = bnn.optim.Split(binary=bop, real=bnn.optim.Adam(lr=0.01))
    bits = []
    for epoch in range(epochs):
        history = bnn.fit(net, optimizer, data, epochs=1, batch_size=50, seed=epoch, **how)
        bits.append(np.concatenate([p.value.ravel() for p in net.parameters() if p.binary]))
    return np.array(bits), history.last["test_accuracy"]


def main(out="data_parallel.png", dataset="digits", data_dir=None, epochs=5):
    data, ranks = bnn.data.load(dataset, data_dir), Ranks.world()
    ways = {
        "sync": train(data, epochs, ranks=ranks, sync_batch_norm=True),
        "own statistics": train(data, epochs, ranks=ranks),
    }
    states = len(set(ranks.gather(zlib.crc32(ways["sync"][0].tobytes()))))
    if not ranks.first:
        return None
    alone, accuracy = train(data, epochs, progress=False)
    print(f"\nranks: {ranks.size}, different networks among them: {states}\n")
    axes = (figure := new_figure(7, 4)).subplots()
    lines = [["one process", f"{100 * accuracy:.1f} %", "", ""]]
    for k, (name, (bits, accuracy)) in enumerate(ways.items()):
        equal = 100 * (bits == alone).mean(axis=1)
        lines.append([name, f"{100 * accuracy:.1f} %", *(f"{equal[e]:.2f} %" for e in (0, -1))])
        line(axes, range(1, epochs + 1), equal, label=f"{ranks.size} ranks, {name}", **style(k))
    print(Table(["", "test", "equal bits, first epoch", "last epoch"], lines))
    label(axes, "Several ranks against one process", "binary weights that are equal (%)")
    axes.legend(frameon=False)
    save(figure, out)
    print(f"\nfigure: {out}")
    return states, lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="data_parallel.png", help="the figure's file")
    parser.add_argument("--dataset", default="digits", help="digits, cifar10 or npz:FILE")
    parser.add_argument("--data-dir", help="where the files of cifar10 are")
    parser.add_argument("--epochs", type=int, default=5, help="of each training")
    main(**vars(parser.parse_args()))
